"""Drives a twin through databricks-sdk and mlflow, as anybody would, and says of each case how it went.

A section is a generator over its rows: (name, exception class, message, call). A row of class None must succeed. On
stdout there is one line of JSON per row, {"section", "case", "error"}, and at the end {"cases": how many}.
"""

import json
import os
import sys
import traceback

from databricks.sdk import WorkspaceClient

import files
import jobs
import messages
import permissions
import registry
import secrets_
import tracking
import workspace

SECTIONS = [workspace, jobs, registry, tracking, secrets_, permissions, files, messages]


def judge(kind, message, call):
    """What is wrong with a row, None when nothing is."""
    try:
        got = call()
    except Exception as e:
        if kind is None:
            return traceback.format_exc()
        if type(e) is not kind or str(e) != message:
            return f"raised {type(e).__name__}: {e}\nwant {kind.__name__}: {message}"
        return None
    if kind is not None:
        return f"returned {got!r}\nwant {kind.__name__}: {message}"
    return None


def main():
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is not ours

    def say(**line):
        print(json.dumps(line), file=out, flush=True)

    count = 0
    for module in SECTIONS:
        section = module.__name__.strip("_")
        rows = module.rows(WorkspaceClient(host=os.environ["DATABRICKS_HOST"], token=os.environ["DATABRICKS_TOKEN"]))
        while True:
            try:
                name, kind, message, call = next(rows)
            except StopIteration:
                break
            except Exception:
                say(section=section, case="between the rows", error=traceback.format_exc())
                break
            count += 1
            say(section=section, case=name, error=judge(kind, message, call))
    say(cases=count)


main()
