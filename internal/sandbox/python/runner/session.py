"""A notebook while it runs."""

import json
import os
import sys
import time

from . import host, lacks, output, shell
from .child import Child
from .dbutils import DBUtils
from .errors import NotebookExit, NotebookFailed
from .magics import Magics
from .notebooks import Tree

_DEEPEST = 50  # notebooks that start notebooks
_ROWS = 1000


class Session:
    """One notebook with all that it includes: one namespace, one set of parameters, one end."""

    def __init__(self, request, spare, log, redact):
        self.request, self._spare = request, spare
        self.parameters = dict(request["parameters"])
        self.host, self.token, self.redact = request["host"], request["token"], redact
        self.layers, self.layer, self.own = request["layers"], request["layer"], request["own"]
        self.pip = request["pip"]
        self.task_values = {}
        self._left = self._value = None
        self._cells, self._stack, self._where = [], [], None
        self._tree = Tree(request["mounts"]["Workspace"])
        self._streams = output.Streams(log)
        self.dbutils = DBUtils(self)
        self._magics = Magics(self)
        self._shell = shell.Shell(
            {
                "dbutils": self.dbutils,
                "display": _display,
                "displayHTML": lambda html="", *_, **__: print(f"[HTML, {len(html)} characters]"),
                "getArgument": self.dbutils.widgets.getArgument,
                "exit": _stop,
                "quit": _stop,
            }
        )
        self._shell.magics(self._magics.lines())

    def run(self):
        """Runs the notebook and returns its result, as the result file keeps it."""
        result = {"state": "SUCCESS", "exited": False, "exit_value": "", "error": "", "trace": ""}
        try:
            path = self._tree.find(self.request["path"])
            self._settle(path)
            self._play(path, self.request["language"])
        except NotebookExit:
            pass
        except SystemExit as e:
            if e.code not in (None, 0):
                result |= {"state": "FAILED", "error": f"SystemExit: {e.code}", "trace": self._trace(e)}
        except BaseException as e:
            if not self._left:
                result |= {"state": "FAILED", "error": self._told(e), "trace": self._trace(e)}
        if self._left:
            result |= {"exited": True, "exit_value": self._value}
        return {**result, "cells": self._cells, "task_values": self.task_values}

    def leave(self, value):
        """Notes that the notebook ends with this value, whatever it does with the exception that follows."""
        if not self._left:
            self._left, self._value = True, value

    def include(self, path, beside):
        """Runs the cells of another notebook in this one's namespace."""
        self._play(self._tree.find(path, beside))

    def start(self, path, seconds, parameters):
        """Runs another notebook in a process of its own and returns what it exits with."""
        if self.request["depth"] >= _DEEPEST:
            raise NotebookFailed(f"starting {path}: notebooks start notebooks {_DEEPEST} deep")
        path = self._tree.find(path, self.request["path"])
        child = Child(self.request, path, {k: str(v) for k, v in parameters.items()})
        status = self._wait(child, path, seconds)
        result = child.result()
        if result is None:
            how = f"signal {os.WTERMSIG(status)}" if status is not None and os.WIFSIGNALED(status) else "no result"
            raise NotebookFailed(f"{path} failed: the notebook process died ({how})")
        if result["state"] != "SUCCESS":
            raise NotebookFailed(f"{path} failed: {result['error']}\n{result['trace']}")
        return result["exit_value"]

    def _wait(self, child, path, seconds):
        with self._spare.connect() as connection:
            connection.settimeout(seconds or None)
            try:
                return host.call(connection, child.file)
            except TimeoutError:
                host.end(connection)
                raise NotebookFailed(f"{path} timed out after {seconds} seconds") from None

    def _settle(self, path):
        folder = os.path.dirname(self._tree.real(path))
        os.chdir(folder)
        sys.path.insert(0, folder)
        sys.argv = [path]
        request = self.request
        tags = {
            "mlflow.source.type": "NOTEBOOK", "mlflow.source.name": path, "mlflow.user": request["user"],
            "mlflow.databricks.notebookPath": path, "mlflow.databricks.jobRunID": request["run_id"],
            "mlflow.databricks.jobID": request["job_id"],
        }  # fmt: skip
        os.environ["MLFLOW_EXPERIMENT_NAME"] = path
        os.environ["MLFLOW_RUN_CONTEXT"] = json.dumps({k: v for k, v in tags.items() if v})

    def _play(self, path, language=""):
        if path in self._stack:
            raise RecursionError(f"{path} includes itself by %run: {' → '.join([*self._stack, path])}")
        outermost = not self._stack
        self._stack.append(path)
        try:
            for cell in self._tree.cells(path, language):
                (self._record if outermost else self._execute)(path, cell)
                if self._left:
                    raise NotebookExit(self._value)  # a bare except had caught the first one
        finally:
            self._stack.pop()

    def _record(self, path, cell):
        record = {"n": cell.number, "title": cell.title, "language": cell.kind, "start_time": int(time.time() * 1000)}
        record["first_line"] = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        began, captures = time.monotonic(), self._streams.record()
        try:
            self._execute(path, cell)
        except NotebookExit:
            raise
        except BaseException as e:
            if not self._left and not (isinstance(e, SystemExit) and e.code in (None, 0)):
                record["error"] = self._told(e)
            raise
        finally:
            self._streams.end()
            record["stdout"], record["stderr"] = (capture.text() for capture in captures)
            record["millis"] = int((time.monotonic() - began) * 1000)
            self._cells.append(record)

    def _execute(self, path, cell):
        if not cell.source.strip() and cell.kind == "python":
            return
        where = f"{path}, cell {cell.number}"
        try:
            if cell.kind == "python":
                self._shell.execute(cell.source, where)
            else:
                self._magics.cell(path, cell)
        except NotebookExit:
            raise
        except BaseException as e:
            if self._where is None:
                self._where = where + (f" ({cell.title})" if cell.title else "")
            raise

    def _told(self, error):
        missing = lacks.sentence(error)
        if not missing:
            return shell.describe(error)
        return f"Unsupported: {self._where}: {missing}" if self._where else f"Unsupported: {missing}"

    def _trace(self, error):
        where = f"in {self._where}\n" if self._where else ""
        return where + shell.trace(error)


def _stop(code=None):
    sys.exit(code)


def _display(*objects, **_):
    for item in objects:
        if hasattr(item, "toPandas"):
            item = item.limit(_ROWS).toPandas()
        if hasattr(item, "to_string"):
            shown = item.head(_ROWS) if hasattr(item, "head") else item
            print(shown.to_string())
            if len(shown) < len(item):
                print(f"[{len(item) - len(shown)} more rows]")
        elif hasattr(item, "savefig") or hasattr(item, "figure"):
            print("[figure]")
        else:
            print(item)
