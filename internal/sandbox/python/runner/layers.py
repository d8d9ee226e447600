"""Layers: folders of packages that stand above another environment without changing it.

A layer is a virtual environment that sees all packages of the one below. pip, run in it, takes those for installed,
leaves them alone, and puts into the layer only what is missing or wanted in another version. Layers are kept, one for
each set of what was asked for above each environment, and are never changed once they are complete.
"""

import fcntl
import hashlib
import importlib
import json
import os
import shlex
import shutil
import site
import subprocess
import sys

from . import mounts
from .errors import InstallError

_COMPLETE = ".complete"
_TAIL = 15


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
    """Returns the layer for `pip install <arguments>` above an environment, and what pip said if it was made now.

    Several processes may ask at once: one makes it, the others wait. environ is pip's own.
    """
    os.makedirs(kept, exist_ok=True)
    arguments, key = _key(below, arguments)
    folder = os.path.join(kept, key)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(folder, _COMPLETE)):
            return folder, ""
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, below)
        said = _install(folder, arguments, environ)
        with open(os.path.join(folder, _COMPLETE), "w"):
            return folder, said


def _key(below, arguments):
    """A file that is named counts by its content: the same requirements.txt is the same layer, a changed one is not."""
    found, told = [], [os.path.basename(below)]
    for argument in arguments:
        real = os.fspath(mounts.real(argument))
        found.append(real)
        if os.path.isfile(real):
            with open(real, "rb") as f:
                told.append("file:" + hashlib.sha256(f.read()).hexdigest())
        elif os.path.isdir(real):
            told.append("folder:" + os.urandom(16).hex())
        else:
            told.append(argument)
    return found, hashlib.sha256(json.dumps(told).encode()).hexdigest()[:20]


def _install(folder, arguments, environ):
    done = subprocess.run(
        [python(folder), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=environ,
    )  # fmt: skip
    if done.returncode == 0:
        return done.stdout
    tail = "\n".join(done.stdout.strip().splitlines()[-_TAIL:])
    raise InstallError(f"pip install {shlex.join(arguments)} ended with {done.returncode}:\n{tail}")


def main():
    """Makes the layer of a file's requirement lines, above BELOW: layer KEPT BELOW FILE. Prints its folder."""
    kept, below, file = sys.argv[1:]
    with open(file, encoding="utf-8") as f:
        lines = sorted({line.strip() for line in f if line.strip()})
    try:
        folder, _ = ensure(kept, below, lines, dict(os.environ))
    except (InstallError, OSError) as e:
        sys.exit(str(e))
    print(folder)
