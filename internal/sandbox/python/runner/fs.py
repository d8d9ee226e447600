"""dbutils.fs: the files of the workspace, by the paths that Spark uses."""

import os
import shutil
from collections import namedtuple

from . import lacks, mounts
from .errors import Unsupported, UnsupportedAttribute


class FileInfo(namedtuple("FileInfo", "path name size modificationTime")):
    """A line of dbutils.fs.ls. The name of a folder ends with a slash; times are in milliseconds."""

    def isDir(self):
        return self.name.endswith("/")

    def isFile(self):
        return not self.isDir()


class FileUtils:
    """Paths: /x and dbfs:/x are DBFS, /Volumes/… and /Workspace/… (with dbfs: or file: too) those folders,
    file:/x this machine."""

    def ls(self, path):
        real, scheme, plain = _resolve(path)
        if not os.path.exists(real):
            raise _missing(path)
        if os.path.isfile(real):
            return [_info(real, scheme + plain)]
        return [_info(os.path.join(real, n), f"{scheme}{plain.rstrip('/')}/{n}") for n in sorted(os.listdir(real))]

    def head(self, file, max_bytes=65536, maxBytes=None):
        real, _, _ = _resolve(file)
        if not os.path.isfile(real):
            raise _missing(file)
        limit = maxBytes or max_bytes
        with open(real, "rb") as f:
            data = f.read(limit)
        if os.path.getsize(real) > limit:
            print(f"[Truncated to first {limit} bytes]")
        return data.decode(errors="replace")

    def put(self, file, contents, overwrite=False):
        real, _, _ = _resolve(file)
        if os.path.exists(real) and not overwrite:
            raise FileExistsError(f"{file} is there already; put(…, overwrite=True) replaces it")
        os.makedirs(os.path.dirname(real), exist_ok=True)
        data = contents.encode()
        with open(real, "wb") as f:
            f.write(data)
        print(f"Wrote {len(data)} bytes.")
        return True

    def mkdirs(self, dir):
        os.makedirs(_resolve(dir)[0], exist_ok=True)
        return True

    def rm(self, dir, recurse=False):
        real, _, _ = _resolve(dir)
        if os.path.isdir(real):
            if os.listdir(real) and not recurse:
                raise OSError(f"{dir} is a folder that is not empty; rm(…, recurse=True) removes it")
            shutil.rmtree(real)
        elif os.path.exists(real):
            os.remove(real)
        else:
            return False
        return True

    def cp(self, source, to, recurse=False):
        real, target = self._both(source, to, recurse)
        if os.path.isdir(real):
            shutil.copytree(real, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(real, target)
        return True

    def mv(self, source, to, recurse=False):
        real, target = self._both(source, to, recurse)
        shutil.move(real, target)
        return True

    def mounts(self):
        return []

    def mount(self, source, mount_point, *_, **__):
        raise Unsupported(f"the sandbox mounts nothing: put the data there by barge sandbox up --data dbfs:{mount_point}=FOLDER")

    def unmount(self, mount_point):
        raise Unsupported(f"the sandbox mounts nothing: {mount_point} is a folder of its DBFS, and dbutils.fs.rm removes it")

    def refreshMounts(self):
        return True

    def help(self, *_):
        print("The sandbox's dbutils.fs: ls, head, put, mkdirs, rm, cp, mv")

    def __getattr__(self, name):
        raise UnsupportedAttribute(f"the sandbox has no dbutils.fs.{name}: dbutils.fs.help() lists what there is; or {lacks.ELSEWHERE}")

    def _both(self, source, to, recurse):
        real, target = _resolve(source)[0], _resolve(to)[0]
        if not os.path.exists(real):
            raise _missing(source)
        if os.path.isdir(real) and not recurse:
            raise OSError(f"{source} is a folder; recurse=True takes it with all that is in it")
        if os.path.isfile(real) and (os.path.isdir(target) or to.endswith("/")):
            target = os.path.join(target, os.path.basename(real))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return real, target


def _resolve(path):
    """Returns where the path lies on this machine, its scheme and its rest. No path leads out of its folder."""
    scheme, colon, plain = path.partition(":")
    if not colon:
        scheme, plain = "dbfs", path
    if scheme not in ("dbfs", "file"):
        raise Unsupported(f"the sandbox cannot reach {path}: it knows dbfs:, file:, /Volumes and /Workspace; copy the data there")
    plain = os.path.normpath("/" + plain.lstrip("/"))
    if scheme == "dbfs" and plain.split("/")[1] not in ("Volumes", "Workspace"):
        return mounts.real("/dbfs" + plain), "dbfs:", plain
    return mounts.real(plain), f"{scheme}:", plain


def _missing(path):
    return FileNotFoundError(f"No such file or directory: {path}")


def _info(real, path):
    stat = os.stat(real)
    name = os.path.basename(real)
    if os.path.isdir(real):
        return FileInfo(path.rstrip("/") + "/", name + "/", 0, int(stat.st_mtime * 1000))
    return FileInfo(path, name, stat.st_size, int(stat.st_mtime * 1000))
