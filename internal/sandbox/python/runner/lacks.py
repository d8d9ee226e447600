"""What the sandbox has not, told from what a cell raised for want of it: what is missing and the way out, in a sentence."""

import os
import re

from .errors import Unsupported

ELSEWHERE = "leave this notebook to a workspace on Databricks"
_SPARK = "the sandbox has no Spark, and the cell {}: read the files below /dbfs or /Volumes with pandas, or " + ELSEWHERE
_SPARKS_OWN = ("spark", "sc", "sqlContext")  # what a cluster puts into every notebook
_ABSENT = {
    "scala": f"the sandbox has no Scala, and the cell is written in it: it runs Python alone; {ELSEWHERE}",
    "r": f"the sandbox has no R, and the cell is written in it: it runs Python alone; {ELSEWHERE}",
    "sql": _SPARK.format("is written in SQL"),
}
_GPU = re.compile(
    r"NVIDIA driver|not compiled with CUDA|no CUDA-capable|No (CUDA )?GPU|CUDA driver|cudaErrorNoDevice|CUDA error: no|"
    r"libcuda|no HIP GPUs|could not select device driver.*gpu",
    re.IGNORECASE,
)


def cell(kind):
    """Returns the sentence about cells of a kind that the sandbox cannot run."""
    return _ABSENT.get(kind, f"the sandbox cannot run cells in {kind}: it runs Python alone; {ELSEWHERE}")


def sentence(error):
    """Returns the sentence about an error, or None when nothing of the sandbox's is behind it."""
    if isinstance(error, Unsupported):
        return str(error)
    if isinstance(error, NameError) and error.name in _SPARKS_OWN:
        return _SPARK.format(f"uses {error.name}")
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _module(error.name.partition(".")[0], error.name)
    if type(error).__name__ == "UsageError" and (found := re.search(r"[Mm]agic function `(%+\w+)", str(error))):
        return f"the sandbox has no {found[1]}: it knows %run, %pip, %sh, %fs, %md and those of IPython"
    if _GPU.search(str(error)):
        return f"there is no GPU here that the cell could use: let it fall back to the CPU, or {ELSEWHERE}"
    return None


def _module(top, name):
    if os.path.isfile(top):  # beside the notebook that runs
        return f"{top} is a notebook, and Databricks imports no notebooks: run it with %run ./{top}, or take its first line away, which makes it a module"
    if top in ("pyspark", "delta"):
        return _SPARK.format(f"imports {top}")
    if top == "databricks":
        return f"the sandbox has no module {name}: it may be on PyPI, for a line of %pip install; else {ELSEWHERE}"
    return (
        f"the sandbox has no module {name}: name its package in the libraries of the compute, as "
        f"pypi:{top}==VERSION, or in a line of %pip install"
    )
