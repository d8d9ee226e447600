"""dbutils, as a notebook finds it in its namespace."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request

from . import lacks
from .context import EntryPoint
from .errors import InputWidgetNotDefined, NotebookExit, SecretNotFound, UnsupportedAttribute
from .fs import FileUtils


class DBUtils:
    def __init__(self, session):
        self.widgets = Widgets(session.parameters)
        self.notebook = NotebookUtils(session)
        self.entry_point = self.notebook.entry_point
        self.secrets = Secrets(session.host, session.token, session.redact)
        self.fs = FileUtils()
        self.library = LibraryUtils()
        self.jobs = JobsUtils(session.task_values)

    def help(self, *_):
        print("The sandbox's dbutils: widgets, notebook, secrets, fs, library, jobs.taskValues")

    def __getattr__(self, name):
        raise UnsupportedAttribute(f"the sandbox has no dbutils.{name}: dbutils.help() lists what there is; or {lacks.ELSEWHERE}")


class Widgets:
    """The parameters of the run, which win, and the defaults of what the notebook defines. All are strings."""

    def __init__(self, parameters):
        self._parameters = parameters
        self._defaults = {}

    def text(self, name, defaultValue="", label=None):
        self._defaults[name] = str(defaultValue)

    def dropdown(self, name, defaultValue, choices, label=None):
        if defaultValue not in choices:
            raise ValueError(f"the default of widget {name}, {defaultValue!r}, is none of its choices")
        self._defaults[name] = str(defaultValue)

    def combobox(self, name, defaultValue, choices=(), label=None):
        self._defaults[name] = str(defaultValue)

    def multiselect(self, name, defaultValue, choices, label=None):
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name):
        for values in (self._parameters, self._defaults):
            if name in values:
                return values[name]
        raise InputWidgetNotDefined(f"No input widget named {name} is defined")

    def getArgument(self, name, defaultValue=None):
        try:
            return self.get(name)
        except InputWidgetNotDefined:
            if defaultValue is None:
                raise
            return str(defaultValue)

    def getAll(self):
        return {**self._defaults, **self._parameters}

    def remove(self, name):
        self._defaults.pop(name, None)

    def removeAll(self):
        self._defaults.clear()


class NotebookUtils:
    def __init__(self, session):
        self._session = session
        self.entry_point = EntryPoint(session)

    def getContext(self):
        return self.entry_point.getContext()

    def exit(self, value=""):
        self._session.leave(str(value))
        raise NotebookExit(value)

    def run(self, path, timeout_seconds=0, arguments=None):
        """Runs a notebook in a process of its own and returns what it exits with. A time-out of 0 is none."""
        return self._session.start(path, timeout_seconds, arguments or {})

    def __getattr__(self, name):
        raise UnsupportedAttribute(f"the sandbox has no dbutils.notebook.{name}: tell the notebook what it needs by its parameters, or {lacks.ELSEWHERE}")


class Secrets:
    """Reads the workspace's secrets. What is read is redacted wherever the run prints it."""

    def __init__(self, host, token, redact):
        self._host, self._token, self._redact = host, token, redact
        self._read = {}

    def get(self, scope, key):
        if (scope, key) not in self._read:
            answer = self._ask("get", scope=scope, key=key)
            value = base64.b64decode(answer["value"])
            self._redact.add(value.decode(errors="replace"))
            self._read[scope, key] = value
        return self._read[scope, key].decode()

    def getBytes(self, scope, key):
        self.get(scope, key)
        return self._read[scope, key]

    def list(self, scope):
        return [SecretMetadata(s["key"]) for s in self._ask("list", scope=scope).get("secrets", [])]

    def listScopes(self):
        return [SecretScope(s["name"]) for s in self._ask("scopes/list").get("scopes", [])]

    def _ask(self, what, **query):
        url = f"{self._host}/api/2.0/secrets/{what}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise SecretNotFound(self._why(e, **query)) from None

    @staticmethod
    def _why(error, scope="", key=""):
        if error.code == 404 and key:
            return f"Secret does not exist with scope: {scope} and key: {key}"
        try:
            return json.load(error)["message"]
        except (ValueError, KeyError, TypeError):
            return f"reading secrets of scope {scope}: HTTP {error.code}"


class SecretMetadata:
    def __init__(self, key):
        self.key = key

    def __repr__(self):
        return f"SecretMetadata(key={self.key!r})"


class SecretScope:
    def __init__(self, name):
        self.name = name

    def getName(self):
        return self.name

    def __repr__(self):
        return f"SecretScope(name={self.name!r})"


class LibraryUtils:
    def restartPython(self):
        """Does nothing: what %pip installs is seen by every import that follows."""

    def __getattr__(self, name):
        raise UnsupportedAttribute(f"the sandbox has no dbutils.library.{name}: use %pip install")


class JobsUtils:
    def __init__(self, values):
        self.taskValues = TaskValues(values)


class TaskValues:
    """What a task tells later ones. A run of one notebook has none before it: get answers as outside a job."""

    def __init__(self, values):
        self._values = values

    def set(self, key, value):
        json.dumps(value)
        self._values[key] = value

    def get(self, taskKey, key, default=None, debugValue=None):
        for value in (debugValue, default):
            if value is not None:
                return value
        raise ValueError(f"there is no value {key} of task {taskKey}, and no default or debugValue was given")
