"""The engine: chDB connections run in threads, one fresh connection for every request.

Opening a connection to the running engine takes a quarter of a millisecond and gives the request its own context, so settings,
the current database and temporary tables cannot leak from one request to the next; only sessions keep theirs.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import chdb
from chdb._exceptions import ChdbError

from libs.embedded.clickhouse_front.sql import quote, quote_identifier

_CODE = re.compile(r"Code: (\d+)")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)[^()]*\Z")


class EngineError(Exception):
    """An exception of the engine: `code` and `name` are ClickHouse's own, `message` its text without `Code: N. DB::Exception:`."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name, self.message = code, name, message

    @classmethod
    def from_text(cls, text: str) -> EngineError:
        code = _CODE.search(text)
        name = _NAME.search(text)
        message = text.split("DB::Exception: ", 1)[-1]
        if name:
            message = message[: message.rfind(f"({name.group(1)})")].rstrip()
        return cls(int(code.group(1)) if code else 1002, name.group(1) if name else "UNKNOWN_EXCEPTION", message)


@dataclass(slots=True)
class Outcome:
    """What a finished statement says about itself: rows and bytes as counted by the engine, `data` the formatted result."""

    data: bytes
    read_rows: int
    read_bytes: int
    result_rows: int
    written_rows: int
    written_bytes: int
    elapsed_nano: int


@dataclass(slots=True)
class Job:
    """One statement to run. `parameters` are escaped as in ClickHouse's HTTP interface; `before` runs first in the same context."""

    statement: str
    format: str
    query_id: str
    database: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()


class Lane:
    """A bounded number of statements at a time with a bounded queue before them."""

    def __init__(self, name: str, width: int, queue: int) -> None:
        self.name, self.width, self.queue = name, width, queue
        self.waiting = 0
        self.running = 0
        self._slots = asyncio.Semaphore(width)
        self.threads = ThreadPoolExecutor(width, thread_name_prefix=name)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        if self.waiting >= self.queue:
            raise EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"Too many simultaneous queries: {self.waiting} wait in the {self.name} lane. Retry later.")
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._slots.release()


class Engine:
    """The chDB engine on one directory; lives as long as the connection it holds open."""

    def __init__(self, path: str, config: str | None) -> None:
        self._target = f"{path}?config-file={config}" if config else path
        self._path = path
        self._keeper = chdb.connect(self._target)
        self.control = ThreadPoolExecutor(1, thread_name_prefix="control")
        self.version, self.timezone = self._keeper.query("SELECT version(), timezone()", "TSV").bytes().decode().rstrip("\n").split("\t")

    def open_context(self) -> Any:
        return chdb.connect(self._target)

    def run(self, job: Job, context: Any = None) -> Outcome:
        """Run a job; raises EngineError. Blocks: call it in a lane's thread."""
        connection = context if context is not None else self.open_context()
        try:
            return _run(connection, job)
        finally:
            if context is None:
                connection.close()

    def kill(self, query_id: str) -> None:
        """Ask the engine to cancel a running statement; returns at once."""
        try:
            self._keeper.query(f"KILL QUERY WHERE Settings['log_comment'] = {quote(query_id)} ASYNC", "Null")
        except ChdbError as error:
            raise EngineError.from_text(str(error)) from error

    def close(self) -> None:
        self.control.shutdown()
        self._keeper.close()


def _run(connection: Any, job: Job) -> Outcome:
    settings = {**job.settings, "log_comment": job.query_id}
    try:
        if job.database:
            connection.query(f"USE {quote_identifier(job.database)}", "Null")
        connection.query("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()), "Null")
        for statement in job.before:
            connection.query(statement, "Null")
        result = connection.query(job.statement, job.format, params=dict(job.parameters))
    except ChdbError as error:
        raise EngineError.from_text(str(error)) from error
    return Outcome(
        result.bytes(),
        result.storage_rows_read(),
        result.storage_bytes_read(),
        result.rows_read(),
        result.rows_written(),
        result.bytes_written(),
        round(result.elapsed() * 1e9),
    )


def memory_file(name: str) -> int:
    return os.memfd_create(name, os.MFD_CLOEXEC)
