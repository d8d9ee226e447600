"""The runner's programs, by name."""

import sys

from . import mounts


def main():
    """Runs the program that the first argument names, with the others."""
    mounts.install()
    sys.argv.pop(0)
    program = sys.argv[0]
    if program == "host":
        from .warm import main as run

        run()
    elif program == "layer":
        from .layers import main as run

        run()
    elif program == "pip":
        from .layers import pip as run

        run()
    elif program == "run":
        from .run import main as run

        run(sys.argv[1])
    else:
        sys.exit(f"there is no program {program}")
