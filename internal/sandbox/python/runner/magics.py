"""The magics of a Databricks notebook: those that make a whole cell, and those of a line."""

import shlex
import shutil
import subprocess
import sys

from . import lacks, layers, mounts
from .errors import CommandFailed, Unsupported


class Magics:
    """What the cells and lines with a % do, in one session."""

    def __init__(self, session):
        self._session = session
        self._layer = session.layer

    def lines(self):
        """The line magics, by name."""

        def alone(_):
            raise Unsupported("%run must be in a cell by itself, as its first and only line")

        def conda(_):
            raise Unsupported("the sandbox has no conda; use %pip install")

        return {"pip": self.pip, "fs": self.fs, "sh": self.sh, "run": alone, "conda": conda, "sql": self.sql}

    def cell(self, notebook, cell):
        """Runs a cell whose kind is not python."""
        if cell.kind == "md":
            return
        if cell.kind == "run":
            self._run(notebook, cell.source)
        elif cell.kind in ("sh", "fs"):
            getattr(self, cell.kind)(cell.source)
        else:
            raise Unsupported(lacks.cell(cell.kind))

    def sql(self, _=""):
        raise Unsupported(lacks.cell("sql"))

    def _run(self, notebook, source):
        lines = [line for line in source.strip().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if len(lines) != 1:
            raise Unsupported("%run must be in a cell by itself, as its first and only line")
        path, *arguments = shlex.split(lines[0], comments=True)
        for argument in arguments:
            name, equals, value = argument.removeprefix("$").partition("=")
            if not argument.startswith("$") or not equals:
                raise ValueError(f'%run {path}: an argument is written $name="value", not {argument}')
            self._session.parameters[name] = value
        self._session.include(path, notebook)

    def sh(self, script):
        """Runs a script in bash, which ends at its first failing command."""
        if shutil.which("bash") is None:
            raise Unsupported(f"there is no bash here, which %sh needs: install it, or {lacks.ELSEWHERE}")
        with subprocess.Popen(
            ["bash", "-e", "-c", mounts.in_script(script)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as shell:  # fmt: skip
            for line in shell.stdout:
                sys.stdout.buffer.write(line)
        if shell.returncode != 0:
            why = ": a command is not on this machine, whose programs %sh uses" if shell.returncode == 127 else ""
            raise CommandFailed(f"the shell ended with exit code {shell.returncode}{why}")

    def fs(self, line):
        """Runs a function of dbutils.fs, its arguments written as words."""
        name, *arguments = shlex.split(line)
        result = getattr(self._session.dbutils.fs, name.lstrip("_"))(*arguments)
        if isinstance(result, list):
            for item in result:
                print(item.path)
        elif result is not None:
            print(result)

    def pip(self, line):
        """Installs into a layer above what this run has so far, and brings it into the running notebook."""
        command, *arguments = shlex.split(line) or [""]
        if command == "install":
            self._layer = layer = layers.ensure(self._session.layers, self._layer, arguments, self._session.pip)
            layers.see(layer)
            layers.put_above(self._session.own, layer)  # for the processes that the notebook starts
        elif command in ("list", "freeze", "show", "check", "index", "config", "debug", "help", "--version"):
            self._print([layers.python(self._layer), "-m", "pip", command, *arguments], self._session.pip)
        else:
            raise Unsupported(f"%pip {command}: the sandbox only installs; its environments are shared and never changed")

    @staticmethod
    def _print(argv, environ):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ)
        print(done.stdout, end="")
        print(done.stderr, end="", file=sys.stderr)
        if done.returncode != 0:
            raise CommandFailed(f"pip ended with exit code {done.returncode}")
