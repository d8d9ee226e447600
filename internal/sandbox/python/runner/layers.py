"""Layers: folders of packages that stand above another environment without changing it.

A layer is a virtual environment that sees all packages of the one below. pip, run in it, takes those for installed,
leaves them alone, and puts into the layer only what is missing or wanted in another version. Layers are kept, one for
each set of what was asked for above each environment, and are never changed once they are complete.
"""

import collections
import fcntl
import hashlib
import importlib
import json
import os
import re
import runpy
import shlex
import shutil
import site
import subprocess
import sys

from . import mounts
from .errors import InstallError

_COMPLETE = ".complete"
_TAIL = 15
_ANSWER = "\x1e"  # stands before what main() answers, behind what pip says
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from barge_runner.main import main; main()"


def packages(folder):
    """Returns where the packages of an environment lie."""
    return os.path.join(folder, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")


def python(folder):
    """Returns the interpreter of an environment."""
    return os.path.join(folder, "bin", "python")


def make(folder, below):
    """Makes an empty layer."""
    os.makedirs(packages(folder))
    os.makedirs(os.path.join(folder, "bin"))
    base = os.path.realpath(sys._base_executable)
    with open(os.path.join(folder, "pyvenv.cfg"), "w") as f:
        f.write(f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n")
    for name in ("python", "python3"):
        os.symlink(base, os.path.join(folder, "bin", name))
    for name in ("pip", "pip3"):
        script = os.path.join(folder, "bin", name)
        with open(script, "w") as f:
            f.write(f'#!/bin/sh\nexec {shlex.quote(python(folder))} -m pip "$@"\n')
        os.chmod(script, 0o755)
    put_above(folder, below)


def put_above(folder, below):
    """Says what a layer stands on."""
    with open(os.path.join(packages(folder), "below.pth"), "w") as f:
        f.write(f"import site; site.addsitedir({packages(below)!r})\n")


def see(folder):
    """Brings a layer into this process, before the packages that it sees already, and into PATH."""
    before = list(sys.path)
    place = next((i for i, path in enumerate(before) if path.endswith("site-packages")), len(before))
    site.addsitedir(packages(folder))
    new = [path for path in sys.path if path not in before]
    sys.path[:] = [*before[:place], *new, *before[place:]]
    os.environ["PATH"] = os.path.join(folder, "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
    importlib.invalidate_caches()


def ensure(kept, below, arguments, environ):
    """Returns the layer for `pip install <arguments>` above an environment; what pip says, if it is made now, is printed.

    Several processes may ask at once: one makes it, the others wait. environ is pip's own.
    """
    os.makedirs(kept, exist_ok=True)
    told = [os.path.basename(below), *(_contents(argument, set()) for argument in arguments)]
    folder = os.path.join(kept, hashlib.sha256(json.dumps(told).encode()).hexdigest()[:20])
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(folder, _COMPLETE)):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, below)
        _install(folder, arguments, environ)
        with open(os.path.join(folder, _COMPLETE), "w"):
            return folder


def _located(argument):
    """Returns dbfs:/x as the path that Python's file functions know, and a folder as pip's own processes see it."""
    if argument.startswith("dbfs:/"):
        plain = argument.removeprefix("dbfs:")
        argument = plain if plain.startswith(("/Volumes/", "/Workspace/")) else "/dbfs" + plain
    return os.fspath(mounts.real(argument)) if os.path.isdir(argument) else argument


def _contents(argument, seen, beside=""):
    """Returns what an argument stands for: a file or folder counts by its content, and by that of the files that its
    lines name, so that a changed requirements.txt is another layer; anything else counts as it stands."""
    name = argument.partition("=")[2] if argument.startswith("--") else re.sub("^-[rcef]", "", argument)
    path = os.path.normpath(os.path.join(beside, _located(name))) if name else ""
    if path in seen:
        return argument
    if os.path.isdir(path) and (os.sep in name or name.startswith(".")):
        return [argument, *sorted(_listing(path))]
    if not os.path.isfile(path):
        return argument
    seen.add(path)
    with open(path, "rb") as f:
        content = f.read()
    told = [os.path.basename(path), hashlib.sha256(content).hexdigest()]
    if path.endswith((".txt", ".in")):
        words = content.decode(errors="replace").split()
        told += [_contents(word, seen, os.path.dirname(path)) for word in words]
    return told


def _listing(folder):
    for below, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(below, name)
            stat = os.stat(path, follow_symlinks=False)
            yield f"{os.path.relpath(path, folder)} {stat.st_size} {stat.st_mtime_ns}"


def _install(folder, arguments, environ):
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    pip = [python(folder), "-P", "-s", "-B", "-u", "-c", _PROGRAM, ours, "pip", json.dumps(mounts.roots())]
    last = collections.deque(maxlen=_TAIL)
    with subprocess.Popen(
        [*pip, "install", "--no-input", "--disable-pip-version-check", *map(_located, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=environ,
    ) as process:  # fmt: skip
        for line in process.stdout:
            line = _without_passwords(line)
            if line.strip():
                last.append(line.rstrip())
            print(line, end="", flush=True)
    if process.returncode != 0:
        asked = _without_passwords(shlex.join(arguments))
        tail = "\n".join(last)
        raise InstallError(f"pip install {asked} ended with {process.returncode}; its last lines:\n{tail}")


def _without_passwords(text):
    return re.sub(r"://[^/\s@]+@", "://", text)


def pip():
    """pip itself, which finds files below /dbfs, /Volumes and /Workspace as notebooks do: pip ROOTS ARGUMENTS…"""
    mounts.mount(json.loads(sys.argv.pop(1)))
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__")


def main():
    """Makes the layer that a file asks for, above BELOW: layer KEPT BELOW FILE. Prints its folder, or why there is
    none, behind a mark."""
    kept, below, file = sys.argv[1:]
    with open(file, encoding="utf-8") as f:
        asked = json.load(f)
    mounts.mount(asked["mounts"])
    lines = sorted({line.strip() for line in asked["lines"] if line.strip()})
    arguments = [word for line in lines for word in (shlex.split(line) if line.startswith("-") else [line])]
    try:
        print(_ANSWER + ensure(kept, below, arguments, dict(os.environ)))
    except (InstallError, OSError, ValueError) as e:
        sys.exit(f"{_ANSWER}{e}")
