"""The workspace's tree, as notebooks are found in it."""

import os
import posixpath

from . import parse
from .errors import NotebookNotFound

_ENDINGS = ("", ".py", ".ipynb", ".sql", ".scala", ".r", ".R")


class Tree:
    def __init__(self, root):
        self._root = root

    def find(self, path, beside="/"):
        """Returns the workspace path of a notebook that is named absolutely, or relative to another one."""
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(beside), path))
        if path.startswith("/Workspace/"):
            path = path.removeprefix("/Workspace")
        for ending in _ENDINGS:
            if os.path.isfile(self.real(path + ending)):
                return path + ending
        raise NotebookNotFound(f"Notebook not found: {path}")

    def cells(self, path, language=""):
        """Returns the cells of the notebook at a path that find() has returned."""
        with open(self.real(path), encoding="utf-8") as f:
            return parse.parse(f.read(), language)

    def real(self, path):
        """Returns where a workspace path lies on this machine."""
        return os.path.join(self._root, path.lstrip("/"))
