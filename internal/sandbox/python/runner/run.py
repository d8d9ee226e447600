"""One run of a notebook: from a request file to a result file."""

import json
import os
import re
import sys
import time
import traceback

from . import host, layers, mounts, output
from .notebooks import Tree


def main(path, warm=False):
    """Runs the request at path and ends the process: 0 when there is a result. warm: libraries are loaded already."""
    code = 1
    try:
        with open(path, encoding="utf-8") as f:
            request = json.load(f)
        if warm and _installs(request):
            # What it installs must not meet another version that is loaded before.
            os.execve(request["boot"][0], [*request["boot"], "run", path], request["environ"])
        os.unlink(path)  # a token is in it, and whoever would clean up may be killed before
        _settle(request, warm)
        spare = host.Spare(lambda path: main(path, warm))
        from .session import Session

        log = output.DriverLog(request["log"], redact := output.Redactor(request["token"]))
        result = Session(request, spare, log, redact).run()
        _write(request["result"], redact, result)
        sys.stdout.flush()
        sys.stderr.flush()
        log.close()
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        sys.__stderr__.flush()
    os._exit(code)  # threads of libraries would hold up an ordinary end


def _settle(request, warm):
    """Makes this process what a new one would be."""
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    for name in ("home", "tmp"):
        os.makedirs(request[name], mode=0o700, exist_ok=True)
    mounts.mount(request["mounts"])
    for folder in (request["base"], request["layer"]):
        layers.see(folder)
    # What a notebook installs by other ways than %pip goes where it is thrown away.
    layers.make(request["own"], request["layer"])
    layers.see(request["own"])
    sys.executable = layers.python(request["own"])
    sys.dont_write_bytecode = True
    os.environ["VIRTUAL_ENV"] = request["own"]
    if warm:
        import multiprocessing.spawn
        import tempfile

        import numpy

        tempfile.tempdir = None
        numpy.random.seed()
        multiprocessing.spawn.set_executable(sys.executable)


def _installs(request):
    """Says whether the notebook, or one that it includes by a literal %run, has a %pip line."""
    tree, seen = Tree(request["mounts"]["Workspace"]), set()

    def look(path):
        if path in seen:
            return False
        seen.add(path)
        for cell in tree.cells(path):
            if cell.kind == "python" and re.search(r"(?m)^\s*%pip\s", cell.source):
                return True
            if cell.kind == "run" and look(tree.find(cell.source.split()[0], path)):
                return True
        return False

    try:
        return look(tree.find(request["path"]))
    except Exception:
        return False  # the run itself says what is wrong


def _write(path, redact, result):
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(_redacted(result, redact), f)
    os.replace(path + ".new", path)


def _redacted(value, redact):
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(v, redact) for v in value]
    if isinstance(value, dict):
        return {redact(k): _redacted(v, redact) for k, v in value.items()}
    return value
