"""Workspace files."""

import base64
import io
import urllib.parse

from databricks.sdk.errors import BadRequest, InvalidParameterValue, ResourceAlreadyExists, ResourceConflict, ResourceDoesNotExist
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from checks import Sharp, same

NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def import_file(w, path, content, overwrite=False):
    target = "/api/2.0/workspace-files/import-file/" + urllib.parse.quote(path.lstrip("/"), safe="")
    return w.api_client.do("POST", target, query={"overwrite": "true" if overwrite else "false"}, data=content.encode())


def rows(w):
    ws, auto = w.workspace, ImportFormat.AUTO
    import_file(w, "/Shared/py.txt", "1")
    import_file(w, "/Shared/pyn.py", NOTEBOOK)
    exists = "Path (/Shared/py.txt) already exists. Please pass overwrite=true to overwrite it."
    parent = "The parent folder (/Shared/no) does not exist."
    yield "import of an existing path", ResourceAlreadyExists, exists, lambda: ws.import_("/Shared/py.txt", content=b64("2"), format=auto)
    yield "upload to an existing path", ResourceAlreadyExists, exists, lambda: ws.upload("/Shared/py.txt", io.BytesIO(b"2"), format=auto)
    yield "import-file, existing FILE", ResourceConflict, "File already exists at path /Shared/py.txt", Sharp(None, lambda: import_file(w, "/Shared/py.txt", "2"))
    yield "import-file, existing NOTEBOOK", BadRequest, "Path (/Shared/pyn) already exists.", lambda: import_file(w, "/Shared/pyn.py", NOTEBOOK)
    yield "import-file, type differs", InvalidParameterValue, "type mismatch (asked: FILE, actual: NOTEBOOK)", lambda: import_file(w, "/Shared/pyn", "2", True)
    yield (
        "import, type differs",
        InvalidParameterValue,
        "Requested node type [NOTEBOOK] is different from the existing node type [FILE]",
        lambda: ws.import_("/Shared/py.txt", content=b64("2"), language=Language.PYTHON, overwrite=True),
    )
    yield "import with AUTO, kinds differ", ResourceAlreadyExists, "Node named 'pyn' already exists", lambda: ws.import_("/Shared/pyn", content=b64("2"), format=auto, overwrite=True)
    yield "missing parent", ResourceDoesNotExist, parent, lambda: ws.import_("/Shared/no/x", content=b64("2"), format=auto)
    yield "import-file, missing parent", ResourceDoesNotExist, parent, lambda: import_file(w, "/Shared/no/x", "2")
    yield "no content", InvalidParameterValue, "No input data source provided", lambda: ws.import_("/Shared/empty", format=auto)
    yield (
        "more than 10 MB as JSON",
        BadRequest,
        "File size imported is (10485761 bytes), exceeded max size (10485760 bytes)",
        Sharp("MAX_NOTEBOOK_SIZE_EXCEEDED", lambda: ws.import_("/Shared/big", content=b64("x" * (10 * 2**20 + 1)), format=auto)),
    )
    yield "mkdirs over a file", ResourceAlreadyExists, "/Shared/py.txtalready exists and it is not a folder", lambda: ws.mkdirs("/Shared/py.txt/x")
    yield "status of nothing", ResourceDoesNotExist, "Path (/Shared/no) doesn't exist.", lambda: ws.get_status("/Shared/no")
    yield "list of nothing", ResourceDoesNotExist, "Path (/Shared/no) doesn't exist.", lambda: list(ws.list("/Shared/no"))
    yield "export of nothing", ResourceDoesNotExist, "Path (/Shared/no) doesn't exist.", lambda: ws.export("/Shared/no")
    yield "download of nothing", ResourceDoesNotExist, "Path (/Shared/no) doesn't exist.", lambda: ws.download("/Shared/no")
    yield "delete of nothing", ResourceDoesNotExist, "Path (/Shared/no) doesn't exist.", lambda: ws.delete("/Shared/no")

    def there_and_back():
        folder = "/Shared/py/a b/ü 日本"
        ws.mkdirs("/Workspace" + folder)
        ws.mkdirs(folder + "/")
        ws.upload(folder + "/empty #?%.txt", io.BytesIO(b""), format=auto)
        ws.upload(folder + "/n.py", io.BytesIO(NOTEBOOK.encode()), format=auto)
        ws.upload(folder + "/s.sql", io.BytesIO(b"SELECT 1"), format=ImportFormat.SOURCE, language=Language.SQL)
        found = sorted((o.path[len(folder) + 1 :], o.object_type, o.language, o.size) for o in ws.list("/Shared/py", recursive=True))
        same(found, [("empty #?%.txt", ObjectType.FILE, None, 0), ("n", ObjectType.NOTEBOOK, Language.PYTHON, None), ("s.sql", ObjectType.NOTEBOOK, Language.SQL, None)])
        same(ws.download(folder + "/empty #?%.txt").read(), b"")
        same(ws.download(folder + "/n").read().decode(), NOTEBOOK)
        same(base64.b64decode(ws.export(folder + "/s.sql", format=ExportFormat.SOURCE).content), b"-- Databricks notebook source\nSELECT 1")
        same(b'"cells"' in base64.b64decode(ws.export(folder + "/n", format=ExportFormat.JUPYTER).content), True)

    yield "there and back", None, None, there_and_back
    yield "delete of what holds something", BadRequest, "Folder (/Shared/py) is not empty", Sharp("DIRECTORY_NOT_EMPTY", lambda: ws.delete("/Shared/py"))
    yield "delete", None, None, lambda: ws.delete("/Shared/py", recursive=True)
