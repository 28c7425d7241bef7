"""Request bodies: decoded into files in memory, which the engine opens by path, within a budget shared by all requests."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from embedded.clickhouse_front.compression import DAMAGED, decoder
from embedded.clickhouse_front.engine import EngineError

_DISPOSITION = re.compile(rb'(name|filename)="((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Budget:
    """Bytes that bodies and results may hold at a time; beyond it requests are turned away instead of the machine swapping."""

    limit: int
    used: int = 0

    def take(self, size: int) -> None:
        """Raises EngineError when the budget is spent."""
        if self.used + size > self.limit:
            detail = (
                f"Requests in flight hold {self.used} bytes already, more than {self.limit} are not kept. Retry later."
            )
            raise EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", detail)
        self.used += size

    def give_back(self, size: int) -> None:
        self.used -= size


class MemoryFile:
    """Bytes the engine can open by path; counted in the budget until closed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0
        self.descriptor = os.memfd_create("clickhouse-front", os.MFD_CLOEXEC)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.descriptor}"

    def write(self, data: bytes) -> None:
        self._budget.take(len(data))
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def read(self, size: int, offset: int = 0) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def append_from(self, other: MemoryFile, offset: int) -> None:
        """Copy what follows `offset` in another file, inside the kernel."""
        self._budget.take(max(0, other.size - offset))
        while offset < other.size:
            copied = os.sendfile(self.descriptor, other.descriptor, offset, other.size - offset)
            self.size += copied
            offset += copied

    def close(self) -> None:
        self._budget.give_back(self.size)
        os.close(self.descriptor)


@contextmanager
def memory_file(budget: Budget) -> Iterator[MemoryFile]:
    file = MemoryFile(budget)
    try:
        yield file
    finally:
        file.close()


class BodyReader:
    """Decodes the pieces of a body into a file, at most `limit` decoded bytes."""

    def __init__(self, encoding: str, target: MemoryFile, limit: int) -> None:
        self._encoding, self._target, self._limit = encoding, target, limit
        self._decoder = decoder(encoding)
        if self._decoder is None and encoding not in {"", "identity"}:
            detail = f"Unknown compression method {encoding!r} of the request body. Use lz4, zstd, gzip or deflate."
            raise EngineError(89, "UNKNOWN_COMPRESSION_METHOD", detail)

    def feed(self, piece: bytes, last: bool) -> None:
        """Raises EngineError for a damaged or too large body."""
        if self._decoder is None:
            self._write(piece)
            return
        try:
            for decoded in self._decoder.feed(piece):
                self._write(decoded)
            if last:
                self._decoder.finish()
        except DAMAGED as error:
            detail = f"Cannot decompress the request body as {self._encoding}: {error}"
            raise EngineError(271, "CANNOT_DECOMPRESS", detail) from error

    def _write(self, data: bytes) -> None:
        if self._target.size + len(data) > self._limit:
            detail = f"The request body is larger than {self._limit} bytes once decompressed. Send smaller inserts."
            raise EngineError(229, "QUERY_IS_TOO_LARGE", detail)
        self._target.write(data)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart form; `is_file` when it came with a file name."""

    name: str
    data: bytes
    is_file: bool


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Parts of a multipart/form-data body (RFC 7578). Raises EngineError when it does not hold together."""
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if match is None:
        raise EngineError(36, "BAD_ARGUMENTS", "multipart/form-data without a boundary")
    delimiter = b"\r\n--" + match.group(1).encode("latin-1")
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise EngineError(36, "BAD_ARGUMENTS", "the multipart body ends before its closing boundary")
    return [_read_part(piece) for piece in pieces[1:-1]]


def _read_part(piece: bytes) -> Part:
    head, separator, data = piece.partition(b"\r\n\r\n")
    fields = dict(_DISPOSITION.findall(head))
    if not separator or b"name" not in fields:
        raise EngineError(36, "BAD_ARGUMENTS", "a part of the multipart body has no name")
    return Part(fields[b"name"].decode("utf-8", "replace"), data, b"filename" in fields)
