"""What one notebook hands to another that it starts."""

import itertools
import json
import os


class Child:
    """A notebook that another one starts: its request below the folder of the starter's."""

    _count = itertools.count(1)

    def __init__(self, request, path, parameters):
        folder = os.path.join(request["folder"], f"child-{next(self._count)}")
        os.makedirs(folder, mode=0o700)
        inside = {name: os.path.join(folder, name) for name in ("result", "own")}
        self.request = {
            **request, **inside, "path": path, "parameters": parameters, "folder": folder, "language": "",
            "depth": request["depth"] + 1,
        }  # fmt: skip
        self.file = os.path.join(folder, "request")
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            json.dump(self.request, f)

    def result(self):
        """Returns the result, or None when the process died without one."""
        try:
            with open(self.request["result"], encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return None
