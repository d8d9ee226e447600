"""The IPython shell in which Python cells run, and the traces of what they raise."""

import os
import traceback
import warnings

import IPython
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

_HERE = os.path.dirname(os.path.abspath(__file__))
_IPYTHON = os.path.dirname(os.path.abspath(IPython.__file__))


class Shell:
    """InteractiveShell.instance(), the one that IPython.get_ipython() returns: libraries find dbutils through it."""

    def __init__(self, namespace):
        config = Config()
        config.HistoryManager.enabled = False  # its database would be a thread and a lock in every run
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.xmode = "Plain"
        self._shell = InteractiveShell.instance(config=config)
        self._shell.user_ns.update(namespace)
        self._shell._showtraceback = self._shell.showsyntaxerror = lambda *_, **__: None
        self._shell.enable_gui = lambda *_: None  # %matplotlib inline asks for it: there is no event loop to feed
        self._shell.compile.get_code_name = lambda *_: self._name
        self._name = "cell"
        # IPython's own advice for interactive use, and Python's on the forks of !command.
        warnings.filterwarnings("ignore", message="To exit: use")
        warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)

    @property
    def namespace(self):
        """The variables of the notebook."""
        return self._shell.user_ns

    def magics(self, functions):
        """Registers line magics, in place of IPython's own of the same names."""
        for name, function in functions.items():
            self._shell.register_magic_function(function, "line", name)

    def execute(self, source, name):
        """Runs the source, which traces call name, and raises what it raises, a BaseException too."""
        outer, self._name = self._name, name
        self._shell.execution_count += 1
        try:
            result = self._shell.run_cell(source, store_history=False)
        finally:
            self._name = outer
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise error


def describe(error):
    """Returns "AssertionError: too low"."""
    # A syntax error's own text adds a line of a file that it takes for a path.
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def trace(error):
    """Returns the traceback without the frames of the runner and of IPython."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    _strip(told, set())
    return "".join(told.format())


def _strip(told, seen):
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    for i in reversed(range(len(told.stack))):
        if told.stack[i].filename.startswith((_HERE + os.sep, _IPYTHON + os.sep)):
            del told.stack[i]
    for below in (told.__cause__, told.__context__, *(told.exceptions or () if hasattr(told, "exceptions") else ())):
        _strip(below, seen)
