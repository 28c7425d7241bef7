"""The engine: chDB contexts run in threads, a fresh one for every request.

Opening a context of the running engine takes a quarter of a millisecond and isolates the request, so that settings, the
current database and temporary tables cannot leak into the next one; only sessions that ask for it keep theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import chdb
from chdb._exceptions import ChdbError  # the class that is raised; chdb.ChdbError is another one

from embedded.clickhouse_front.sql import quote, quote_identifier

_FORMATS = "SELECT name, content_type FROM system.formats WHERE is_output"
_CODE = re.compile(r"Code: (\d+)")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*\Z")


class EngineError(Exception):
    """A ClickHouse exception: its `code` and `name`, and `message` without `Code: N. DB::Exception:` around it."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name, self.message = code, name, message

    @classmethod
    def from_text(cls, text: str) -> EngineError:
        """Read the engine's own text, `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`."""
        code, name = _CODE.search(text), _NAME.search(text)
        message = text.split("DB::Exception: ", 1)[-1]
        if name is not None:
            message = message[: message.rfind(f"({name.group(1)})")].rstrip()
        return cls(int(code.group(1)) if code else 1002, name.group(1) if name else "UNKNOWN_EXCEPTION", message)


class Context(Protocol):
    """One chDB connection; runs one statement at a time."""

    def query(self, query: str, format: str = ..., params: Any = ...) -> Any: ...  # noqa: A002 (chDB's name)
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished statement says about itself: rows and bytes counted by the engine, `data` the formatted result."""

    data: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    result_rows: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_nano: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One statement to run in the context that `prelude` makes.

    `parameters` are escaped as in ClickHouse's HTTP interface; `epilogue` undoes the prelude in a session's own context.
    """

    statement: str
    format: str
    prelude: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    epilogue: Sequence[str] = ()


class Engine:
    """The chDB engine on one directory. It lives as long as the context held open here."""

    def __init__(self, path: str, configuration: str) -> None:
        self._target = f"{path}?config-file={configuration}"
        self._keeper = self.open_context()
        about = self._rows("SELECT version(), timezone()")[0]
        self.version, self.timezone = about[0], about[1]
        self.content_types: Mapping[str, str] = {row[0]: row[1] for row in self._rows(_FORMATS)}

    def open_context(self) -> Context:
        context: Context = chdb.connect(self._target)  # type: ignore[no-untyped-call]
        return context

    def run(self, job: Job, context: Context | None = None) -> Outcome:
        """Run a job in a session's context or in a fresh one. Blocks, so call it in a lane's thread; raises EngineError."""
        own = context if context is not None else self.open_context()
        try:
            return _run(own, job)
        except ChdbError as error:
            raise EngineError.from_text(str(error)) from error
        finally:
            if context is None:
                own.close()

    def kill(self, query_id: str) -> None:
        """Ask the engine to cancel the statement with this id; returns at once, and says nothing if there is none.

        The engine makes up its own query ids; the client's travels as log_comment.
        """
        self.run(Job(f"KILL QUERY WHERE Settings['log_comment'] = {quote(query_id)} ASYNC", "Null"))

    def purge_memory(self) -> None:
        """Give memory that statements have freed back to the system; the allocator would keep it."""
        self.run(Job("SYSTEM JEMALLOC PURGE", "Null"))

    def memory_bytes(self) -> int:
        outcome = self.run(Job("SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'", "TSV"))
        return int(outcome.data or b"0")

    def close(self) -> None:
        self._keeper.close()

    def _rows(self, statement: str) -> list[list[str]]:
        text = self.run(Job(statement, "TSV")).data.decode()
        return [line.split("\t") for line in text.splitlines()]


def set_statement(settings: Mapping[str, str]) -> str:
    return "SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items())


def use_database(name: str) -> str:
    return f"USE {quote_identifier(name)}"


def _run(context: Context, job: Job) -> Outcome:
    try:
        for statement in job.prelude:
            context.query(statement, "Null")
        result = context.query(job.statement, job.format, params=dict(job.parameters))
        return Outcome(
            data=result.bytes(),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            result_rows=result.rows_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            elapsed_nano=round(result.elapsed() * 1e9),
        )
    finally:
        for statement in job.epilogue:
            context.query(statement, "Null")
