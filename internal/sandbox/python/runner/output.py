"""What a notebook prints: kept per cell, written to the driver's log, and without its secrets in both."""

import io
import os
import sys
import threading

REDACTED = "[REDACTED]"
_SHORTEST = 3  # a shorter secret would black out ordinary text
_CELL_LIMIT = 10 << 20


class Redactor:
    """Replaces, literally, every secret value that was read. A transformed secret passes through."""

    def __init__(self, *values):
        self._values = []
        self._lock = threading.Lock()
        for value in values:
            self.add(value)

    def add(self, value):
        # A log is redacted by lines, so a value of several lines must be known by each of them.
        parts = {value, *value.split("\n")} if value else ()
        with self._lock:
            known = {*self._values, *(p.strip("\r") for p in parts if len(p.strip()) >= _SHORTEST)}
            self._values = sorted(known, key=len, reverse=True)

    def __call__(self, text):
        for value in self._values:
            text = text.replace(value, REDACTED)
        return text


class DriverLog:
    """The file that takes all that a run prints, by print() and by the descriptors 1 and 2 alike.

    The descriptors become a pipe that a thread empties, so that what a subprocess prints is redacted too.
    """

    def __init__(self, path, redact):
        self._redact = redact
        self._file = io.open(path, "ab", buffering=0)
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        self._pump = threading.Thread(target=self._empty, args=(reading,), name="driver-log", daemon=True)
        self._pump.start()

    def write(self, data):
        """Appends whole lines of UTF-8."""
        with self._lock:
            self._file.write(self._redact(data.decode(errors="replace")).encode(errors="replace"))

    def close(self):
        """Gives the descriptors back and writes what is left; a descendant that still prints is not waited for."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        self._pump.join(timeout=1)

    def _empty(self, reading):
        rest = b""
        while data := os.read(reading, 65536):
            lines, end, rest = (rest + data).rpartition(b"\n")
            if end:
                self.write(lines + end)
            elif len(rest) > _CELL_LIMIT:
                self.write(rest)
                rest = b""
        if rest:
            self.write(rest)


class Capture:
    """One cell's stdout or stderr: bytes until text() is asked for. Beyond a limit they go to the log alone."""

    def __init__(self):
        self._parts, self._size = [], 0

    def write(self, data):
        room = _CELL_LIMIT - self._size
        self._size += len(data)
        if room > 0:
            self._parts.append(data[:room])

    def text(self):
        text = b"".join(self._parts).decode(errors="replace").replace("\r\n", "\n")
        if self._size > _CELL_LIMIT:
            text += f"\n[{self._size - _CELL_LIMIT} more bytes are in the driver's log]\n"
        return text


class _Raw(io.RawIOBase):
    """The bytes below sys.stdout and sys.stderr, led to the cell that runs and to the log."""

    def __init__(self, descriptor, log):
        self._descriptor, self._log = descriptor, log
        self.cell = None
        self._line = b""
        self._lock = threading.Lock()

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor

    def write(self, data):
        data = bytes(data)
        with self._lock:
            if self.cell is not None:
                self.cell.write(data)
            lines, end, self._line = (self._line + data).rpartition(b"\n")
            if end:
                self._log.write(lines + end)
        return len(data)

    def end(self):
        with self._lock:
            if self._line:
                self._log.write(self._line + b"\n")
            self._line = b""


class Streams:
    """sys.stdout and sys.stderr of a run; record() says which cell they belong to."""

    def __init__(self, log):
        self._raws = _Raw(1, log), _Raw(2, log)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
            for raw in self._raws
        )

    def record(self):
        """Starts a cell: its two captures."""
        captures = Capture(), Capture()
        for raw, capture in zip(self._raws, captures):
            raw.cell = capture
        return captures

    def end(self):
        """Ends the cell."""
        for raw in self._raws:
            raw.end()
            raw.cell = None
