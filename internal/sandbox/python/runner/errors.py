"""What a notebook can meet here, and nowhere else."""


class _Bare:
    """Its subclasses are named in traces as a notebook knows them, without a module."""

    def __init_subclass__(cls):
        cls.__module__ = "builtins"


class NotebookExit(_Bare, BaseException):
    """Ends a notebook from within, past every `except Exception`."""


class NotNotebook(_Bare, Exception):
    """The text cannot be read as a notebook."""


class NotebookNotFound(_Bare, Exception):
    """No notebook lies at the path."""


class NotebookFailed(_Bare, Exception):
    """A notebook that this one started has failed."""


class InputWidgetNotDefined(_Bare, Exception):
    """A widget was asked for that is neither defined nor a parameter of the run."""


class SecretNotFound(_Bare, Exception):
    """The workspace has no such secret, or refuses it."""


class Unsupported(_Bare, Exception):
    """The sandbox has no such thing. Databricks may. The text is a sentence that names it and a way out."""


class UnsupportedAttribute(Unsupported, AttributeError):
    """The same, and hasattr is False."""


class CommandFailed(_Bare, Exception):
    """A shell script ended with another code than 0."""


class InstallError(_Bare, Exception):
    """pip could not install what was asked for. The text ends with pip's last lines."""
