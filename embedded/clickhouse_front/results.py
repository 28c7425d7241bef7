"""Results on their way to the client: through a pipe from the engine, held back while the status line may still change."""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import IO, Any

PIECE = 1 << 20
HELD_IN_MEMORY = 4 << 20


class ResultPipe:
    """A pipe the engine writes a formatted result into by path, so that its size is bounded by the pipe, not the result."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with suppress(OSError):  # a smaller pipe is only slower
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, PIECE)
        self.path = f"/proc/self/fd/{self._writer}"

    async def pieces(self, gone: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        """What is written, until every writer has closed the pipe or `gone` is done."""
        while not gone.done():
            try:
                piece = os.read(self._reader, PIECE)
            except BlockingIOError:
                await self._readable_or(gone)
                continue
            if not piece:
                return
            yield piece

    def close_writer(self) -> None:
        """Our own end for writing; the engine opens another one by path."""
        os.close(self._writer)

    def close_reader(self) -> None:
        """Whoever still writes gets a broken pipe."""
        os.close(self._reader)

    async def _readable_or(self, gone: asyncio.Future[Any]) -> None:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._reader, _settle, readable)
        try:
            await asyncio.wait({readable, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(self._reader)


class HeldResult:
    """The beginning of a result, or all of it: in memory up to 4 MiB, in a file without a name beyond."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._file is None and self.size > HELD_IN_MEMORY:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 (close() closes it)
            self._file.writelines(self._pieces)
            self._pieces.clear()
        if self._file is not None:
            self._file.write(piece)
        else:
            self._pieces.append(piece)

    def drain(self) -> Iterator[bytes]:
        """Everything held, in order; once."""
        if self._file is None:
            yield from self._pieces
            self._pieces.clear()
            return
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
