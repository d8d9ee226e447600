"""/dbfs, /Volumes and /Workspace, as Python's file functions see them.

The functions are wrapped; nothing is mounted. A bind mount would reach C libraries too, but it needs root, or user
namespaces, which containers, CI machines and hardened desktops refuse, and macOS does not have: two notebooks would
then behave differently on two machines. Wrapped are open, the functions of os that take a path (and so pathlib,
shutil, glob and os.path), import from such a folder, and what pyarrow finds files by. pandas, numpy, joblib and
scikit-learn open files in Python and see the folders; what opens them in C (sqlite3) does not.

install() comes before other imports, since modules keep the functions that they found; mount() may come later.
"""

import builtins
import functools
import importlib.machinery
import io
import os
import re
import sys

_roots = {}

# How many of the leading arguments are paths.
_PATHS = {
    "access": 1, "chdir": 1, "chmod": 1, "chown": 1, "getxattr": 1, "lchown": 1, "link": 2, "listdir": 1,
    "listxattr": 1, "lstat": 1, "mkdir": 1, "mkfifo": 1, "open": 1, "readlink": 1, "remove": 1, "removexattr": 1,
    "rename": 2, "replace": 2, "rmdir": 1, "scandir": 1, "setxattr": 1, "stat": 1, "statvfs": 1, "symlink": 2,
    "truncate": 1, "unlink": 1, "utime": 1,
}  # fmt: skip
_KEYWORDS = ("file", "path", "src", "dst")


def real(path):
    """Returns where a path lies on this machine; path itself when it is under none of the folders."""
    try:
        given = os.fspath(path)
    except TypeError:
        return path  # a descriptor, or nothing that names a file: not ours to judge
    text = os.fsdecode(given)
    if not text.startswith("/") or not _roots:
        return path
    text = os.path.normpath("/" + text.lstrip("/"))
    _, top, *rest = text.split("/", 2)
    if top not in _roots:
        return path
    found = os.path.join(_roots[top], *rest)
    return os.fsencode(found) if isinstance(given, bytes) else found


def in_script(script):
    """Rewrites the folders where they are named in a shell script: a shell sees none of them."""
    return re.sub(
        r"(?<![\w./:-])/(%s)(?=[/\s'\";)]|$)" % "|".join(_roots),
        lambda found: _roots[found[1]],
        script,
    ) if _roots else script  # fmt: skip


def mount(roots):
    """Says where the folders lie: {"dbfs": "/…", "Volumes": "/…", "Workspace": "/…"}."""
    _roots.clear()
    _roots.update({top: os.path.normpath(root) for top, root in roots.items() if root})


def roots():
    """Returns what mount() was told."""
    return dict(_roots)


class _Routed:
    """A file function that is given real paths and names in its errors the paths it was called with.

    An object and no function, since a builtin kept in a class must not turn into a method of it.
    """

    def __init__(self, function, module, paths):
        self._function = function
        self._paths = paths
        self.__name__ = self.__qualname__ = function.__name__
        self.__module__ = module
        self.__doc__ = function.__doc__

    def __call__(self, *args, **kwargs):
        if not _roots:
            return self._function(*args, **kwargs)
        names = {}

        def route(path):
            found = real(path)
            if found is not path:
                names[os.fsdecode(found)] = path
            return found

        args = [route(a) if i < self._paths else a for i, a in enumerate(args)]
        kwargs = {k: route(v) if k in _KEYWORDS else v for k, v in kwargs.items()}
        if not names:
            return self._function(*args, **kwargs)
        try:
            return self._function(*args, **kwargs)
        except OSError as e:
            for which in ("filename", "filename2"):
                if getattr(e, which) in names:
                    setattr(e, which, names[getattr(e, which)])
            raise

    def __repr__(self):
        return repr(self._function)

    def __reduce__(self):
        return self.__name__


class _Scan:
    """What os.scandir returns, its entries named as the folder was."""

    def __init__(self, entries, folder):
        self._entries, self._folder = entries, folder

    def __iter__(self):
        return self

    def __next__(self):
        return _Entry(next(self._entries), self._folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._entries.close()

    def close(self):
        self._entries.close()


class _Entry(os.PathLike):
    def __init__(self, entry, folder):
        self._entry = entry
        self.name = entry.name
        self.path = os.path.join(folder, entry.name)

    def __getattr__(self, name):
        return getattr(self._entry, name)

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return repr(self._entry)


class _RoutedScandir(_Routed):
    def __call__(self, path="."):
        entries = super().__call__(path)
        return entries if real(path) is path else _Scan(entries, os.fspath(path))


def _path_hook(entry):
    found = real(entry)
    if found is entry:
        raise ImportError(entry)
    loaders = (
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES),
        (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
    )
    return importlib.machinery.FileFinder.path_hook(*loaders)(found)


class _Arrow:
    """A finder that sees pyarrow imported: it opens files in C, but each path first goes through one of these names."""

    _FUNCTIONS = {
        "pyarrow": ("input_stream", "output_stream", "memory_map", "create_memory_map"),
        "pyarrow.fs": ("_resolve_filesystem_and_path",),
    }

    @classmethod
    def find_spec(cls, name, path, target=None):
        if name not in cls._FUNCTIONS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            cls._wrap(module)

        spec.loader.exec_module = exec_module
        return spec

    @classmethod
    def _wrap(cls, module):
        def routed(function):
            return functools.wraps(function)(lambda path, *args, **kwargs: function(real(path), *args, **kwargs))

        for name in cls._FUNCTIONS[module.__name__]:
            if hasattr(module, name):
                setattr(module, name, routed(getattr(module, name)))
        if hasattr(module, "OSFile"):

            class OSFile(module.OSFile):
                def __new__(cls, path, *args, **kwargs):
                    return super().__new__(cls, real(path), *args, **kwargs)

            module.OSFile = OSFile


def install():
    """Wraps the functions, once. Without mount() they do what they always did."""
    if isinstance(builtins.open, _Routed):
        return
    io.open = builtins.open = _Routed(builtins.open, "io", 1)
    for name, paths in _PATHS.items():
        function = getattr(os, name, None)
        if function is None:
            continue
        routed = (_RoutedScandir if name == "scandir" else _Routed)(function, "os", paths)
        setattr(os, name, routed)
        for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if function in known:
                known.add(routed)
    sys.path_hooks.insert(0, _path_hook)
    sys.meta_path.insert(0, _Arrow)
