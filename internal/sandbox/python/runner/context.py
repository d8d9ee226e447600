"""What a notebook can ask of the place that it runs in: dbutils.notebook.entry_point, as Java's objects show it."""

import json
from urllib.parse import urlsplit

from .errors import UnsupportedAttribute

_OTHERWISE = "tell the notebook what it needs by its parameters"


class EntryPoint:
    """dbutils.notebook.entry_point, and what its getDbutils() and notebook() return: all lead to the context."""

    def __init__(self, session):
        self._session = session

    def getDbutils(self):
        return self

    def notebook(self):
        return self

    def getContext(self):
        return Context(self._session)

    def getCurrentBindings(self):
        return dict(self._session.parameters)

    def __getattr__(self, name):
        raise UnsupportedAttribute(f"the sandbox's dbutils.notebook.entry_point has no {name}, only getDbutils().notebook().getContext() and getCurrentBindings(): {_OTHERWISE}")


class Option:
    """A value that may be absent, as Scala has it."""

    def __init__(self, value):
        self._value = value

    def get(self):
        if self._value is None:
            raise ValueError("None.get: there is no such value")
        return self._value

    def getOrElse(self, default):
        return default if self._value is None else self._value

    def isDefined(self):
        return self._value is not None

    def isEmpty(self):
        return self._value is None

    def toString(self):
        return "None" if self._value is None else f"Some({self._value})"

    __str__ = __repr__ = toString


class Tags:
    def __init__(self, values):
        self._values = values

    def get(self, name):
        return Option(self._values.get(name))

    def apply(self, name):
        if name not in self._values:
            raise KeyError(f"key not found: {name}")
        return self._values[name]

    def getOrElse(self, name, default):
        return self._values.get(name, default)

    def contains(self, name):
        return name in self._values

    def toString(self):
        return "Map(" + ", ".join(f"{name} -> {value}" for name, value in self._values.items()) + ")"

    __str__ = __repr__ = toString


class Context:
    """The token is given to who asks for it alone, and is redacted wherever the run prints it."""

    def __init__(self, session):
        self._token = session.token
        request = session.request
        host = urlsplit(session.host).netloc
        self._values = {
            "notebookPath": request["path"].removeprefix("/Workspace"), "userName": request["user"], "apiUrl": session.host, "browserHostName": host,
            "workspaceId": request["workspace_id"], "currentRunId": request["run_id"], "jobId": request["job_id"],
        }  # fmt: skip
        tags = {
            "user": request["user"], "orgId": request["workspace_id"], "browserHostName": host,
            "runId": request["run_id"], "jobId": request["job_id"],
        }  # fmt: skip
        self._tags = {name: value for name, value in tags.items() if value}

    def tags(self):
        return Tags(self._tags)

    def apiToken(self):
        return Option(self._token)

    def toJson(self):
        run = self._values["currentRunId"]
        return json.dumps({
            "currentRunId": {"id": int(run)} if run else None, "tags": self._tags,
            "extraContext": {"notebook_path": self._values["notebookPath"], "api_url": self._values["apiUrl"]},
        })  # fmt: skip

    safeToJson = toJson

    def __getattr__(self, name):
        if name in self._values:
            return lambda: Option(self._values[name] or None)
        known = ", ".join(sorted([*self._values, "apiToken", "tags", "toJson"]))
        raise UnsupportedAttribute(f"the sandbox's context of a notebook has no {name}, only {known}: {_OTHERWISE}")
