"""DBFS and volumes."""

import io

from databricks.sdk.errors import AlreadyExists, BadRequest, InvalidParameterValue, NotFound, ResourceAlreadyExists, ResourceDoesNotExist

from checks import Sharp, same
from workspace import b64


def rows(w):
    d, f = w.dbfs, w.files
    d.put("/py/a", contents=b64("1"))
    exists, missing = "A file or directory already exists at the input path dbfs:/py/a.", "No file or directory exists on path dbfs:/no."
    yield "put on what is there", ResourceAlreadyExists, exists, lambda: d.put("/py/a", contents=b64("2"))
    yield (
        "put of more than 1 MB",
        BadRequest,
        "The block of 1048577 bytes is larger than the maximum of 1048576 bytes.",
        Sharp("MAX_BLOCK_SIZE_EXCEEDED", lambda: d.put("/py/b", contents=b64("x" * (2**20 + 1)))),
    )
    yield "read of nothing", ResourceDoesNotExist, missing, lambda: d.read("/no")
    yield "status of nothing", ResourceDoesNotExist, missing, lambda: d.get_status("/no")
    yield "list of nothing", ResourceDoesNotExist, missing, lambda: list(d.list("/no"))
    yield "read of a folder", InvalidParameterValue, "The path dbfs:/py is a directory.", lambda: d.read("/py")
    yield "a block to no stream", ResourceDoesNotExist, "No opened stream found for handle 99.", lambda: d.add_block(99, b64("x"))

    def streams():
        content = bytes(range(256)) * 10_000
        with d.open("/py/ü b", write=True, overwrite=True) as out:
            out.write(content)
        with d.open("/py/ü b", read=True) as back:
            same(back.read(), content)
        same([(i.path, i.file_size) for i in d.list("/py")], [("/py/a", 1), ("/py/ü b", 2_560_000)])
        d.delete("/py", recursive=True)
        d.delete("/py", recursive=True)

    yield "streams", None, None, streams

    volume = "/Volumes/main/ml/py"
    f.upload(volume + "/a", io.BytesIO(b"1"))
    yield "create-only on what is there", AlreadyExists, "The file being created already exists.", lambda: f.upload(volume + "/a", io.BytesIO(b"2"), overwrite=False)
    yield "download of nothing", NotFound, "The file being accessed is not found.", Sharp("NOT_FOUND", lambda: f.download(volume + "/no"))
    yield "delete of nothing", NotFound, "The file being accessed is not found.", lambda: f.delete(volume + "/no")
    yield "list of nothing", NotFound, "The directory being accessed is not found.", lambda: list(f.list_directory_contents(volume + "/no"))

    def volumes():
        f.upload(volume + "/d/ü #?%.bin", io.BytesIO(b"first"))
        f.upload(volume + "/d/ü #?%.bin", io.BytesIO(b"second"), overwrite=True)
        same(f.download(volume + "/d/ü #?%.bin").contents.read(), b"second")
        same(f.get_metadata(volume + "/d/ü #?%.bin").content_length, 6)
        f.create_directory(volume + "/e")
        f.get_directory_metadata(volume + "/e")
        for size in (None, 1):
            same([(e.name, e.is_directory) for e in f.list_directory_contents(volume, page_size=size)], [("a", False), ("d", True), ("e", True)])

    yield "volumes", None, None, volumes

    def large():  # from 50 MB on the SDK wants to send parts
        content = bytes(50 * 2**20 + 1)
        f.upload(volume + "/big", io.BytesIO(content))
        same(f.get_metadata(volume + "/big").content_length, len(content))
        f.delete(volume + "/big")

    yield "a large file", None, None, large
    yield (
        "delete of what holds something",
        BadRequest,
        "The directory being deleted is not empty.",
        Sharp("FILES_API_DIRECTORY_IS_NOT_EMPTY", lambda: f.delete_directory(volume + "/d")),
    )
