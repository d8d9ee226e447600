"""The cells of a notebook, in each form in which a workspace keeps one."""

import json
import re
from dataclasses import dataclass

from .errors import NotNotebook

_COMMENT = {"#": "python", "--": "sql", "//": "scala"}
_HEADER = "Databricks notebook source"
_MAGIC = re.compile(r"%(md-sandbox|md|run|sh|sql|scala|r|fs|python)(?![\w-])[ \t]*(.*)", re.DOTALL)
_KIND = {"md-sandbox": "md"}
_DATABRICKS_CELL = "application/vnd.databricks.v1+cell"
_DATABRICKS_NOTEBOOK = "application/vnd.databricks.v1+notebook"


@dataclass(frozen=True)
class Cell:
    """One cell. Numbers start at 1 and count markdown and empty cells, as a workspace shows them."""

    number: int
    kind: str  # python, md, run, sh, fs, sql, scala or r
    source: str  # without the magic that gives the kind
    title: str = ""


def parse(text, language=""):
    """Returns the cells of a notebook in source format or .ipynb.

    language is that of its cells without a magic; empty: what the text says itself, else python. A source without
    the header line is one cell, unless it has separators.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if text.lstrip().startswith("{"):
        try:
            content = json.loads(text)
        except ValueError as e:
            if '"nbformat"' in text:
                raise NotNotebook(f"this is no valid .ipynb: {e}") from None
        else:
            if isinstance(content, dict) and ("cells" in content or "nbformat" in content):
                return _jupyter(content, language)
    return _source(text, language)


def _source(text, language):
    first, _, rest = text.partition("\n")
    comment = next((c for c in _COMMENT if first.rstrip() == f"{c} {_HEADER}"), None)
    if comment:
        text = rest
        language = language or _COMMENT[comment]
    mark = re.escape(comment or "#")
    parts = re.split(rf"(?m)^{mark} COMMAND -{{10}}[ \t]*$", text)
    return [_source_cell(number, part, mark, language or "python") for number, part in enumerate(parts, 1)]


def _source_cell(number, text, mark, language):
    title, lines = "", []
    for line in text.strip("\n").split("\n"):
        if found := re.fullmatch(rf"{mark} DBTITLE \d+,(.*)", line):
            title = found[1].strip()
            continue
        lines.append(re.sub(rf"^{mark} MAGIC(?: |$)", "", line))
    return _cell(number, "\n".join(lines).strip("\n"), language, title)


def _jupyter(content, language):
    if not isinstance(content.get("cells"), list):
        raise NotNotebook("this .ipynb has no cells: it must be of nbformat 4")
    language = language or _jupyter_language(content.get("metadata") or {})
    cells = []
    for number, raw in enumerate(content["cells"], 1):
        source = raw.get("source") or ""
        if isinstance(source, list):
            source = "".join(source)
        title = ((raw.get("metadata") or {}).get(_DATABRICKS_CELL) or {}).get("title") or ""
        if raw.get("cell_type") == "code":
            cells.append(_cell(number, source.strip("\n"), language, title))
        else:
            cells.append(Cell(number, "md", source, title))
    return cells


def _jupyter_language(metadata):
    named = (
        (metadata.get(_DATABRICKS_NOTEBOOK) or {}).get("language"),
        (metadata.get("kernelspec") or {}).get("language"),
        (metadata.get("language_info") or {}).get("name"),
    )
    return next((name.lower() for name in named if name), "python")


def _cell(number, source, language, title):
    found = _MAGIC.match(source.lstrip())
    if not found:
        return Cell(number, language.lower(), source, title)
    return Cell(number, _KIND.get(found[1], found[1]), found[2].strip("\n"), title)
