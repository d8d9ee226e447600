"""The host as a program: an interpreter that loads libraries ahead, out of which the server's runs are forked."""

import importlib
import socket
import sys

from . import host, run


def main():
    """Loads the modules that the arguments name and serves the connections handed to it through descriptor 3."""
    through = socket.socket(fileno=3)
    for name in sys.argv[1:]:
        try:
            importlib.import_module(name)
        except Exception as e:  # a layer may hold another version of anything: its notebooks import it themselves
            print(f"loading {name}: {e}", file=sys.stderr)
    host.serve(host.Handed(through), lambda request: run.main(request, warm=True))
