"""One request of ClickHouse's HTTP interface, from its body to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from embedded.clickhouse_front.accounts import INPUT_ROLE, Account
from embedded.clickhouse_front.bodies import BodyReader, Budget, MemoryFile, Part, memory_file, read_form
from embedded.clickhouse_front.engine import Engine, EngineError, Job, Outcome, set_statement, use_database
from embedded.clickhouse_front.guard import Guard, check_database
from embedded.clickhouse_front.lanes import Lane, settled
from embedded.clickhouse_front.requests import Request
from embedded.clickhouse_front.responses import Response
from embedded.clickhouse_front.results import PIECE, HeldResult, ResultPipe
from embedded.clickhouse_front.sessions import Session, Sessions
from embedded.clickhouse_front.sql import (
    Insert,
    Query,
    kill_only,
    parse,
    quote,
    quote_identifier,
    rename_words,
    split_types,
)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# ClickHouse's max_query_size is 256 KiB; ours leaves room for a long IN list.
STATEMENT_LIMIT = 1 << 20
# KILL must get through when every lane is full, and SET, USE and SHOW are over in a moment.
_QUICK = frozenset({"KILL", "SYSTEM", "SET", "USE", "SHOW", "EXISTS", "DESCRIBE", "DESC"})
_CLIENT_QUERY_ID = {"query_id": "Settings['log_comment']", "initial_query_id": "Settings['log_comment']"}


class ClientGone(Exception):
    """The client disconnected before it had its answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` of one request once decoded; `body_seconds` it may take to arrive."""

    body_bytes: int
    body_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What all requests share. `spill` is a directory for results too large to hold in memory.

    `active` has the account's name by query id, for every request that is let in.
    """

    engine: Engine
    guard: Guard
    sessions: Sessions
    reads: Lane
    writes: Lane
    control: Lane
    budget: Budget
    limits: Limits
    spill: str
    active: dict[str, str] = field(default_factory=dict)


class Exchange:
    """Runs one request that has been let in. Raises EngineError, SqlError or ClientGone; the answer may have begun then."""

    def __init__(self, machine: Machine, request: Request, receive: Receive, response: Response) -> None:
        self._machine, self._request, self._receive, self._response = machine, request, receive, response
        self._resources = ExitStack()
        self.lane = machine.control.name
        self._account: Account

    async def run(self, account: Account) -> None:
        self._account = account
        check_database(self._request.database, account)
        with self._resources:
            body = self._resources.enter_context(memory_file(self._machine.budget))
            await self._read_body(body)
            files: list[Part] = []
            shown = self._request.params.get("query", "")
            if self._request.is_form:
                files = self._read_fields(body)
                shown, body = (
                    self._request.params.get("query", ""),
                    self._resources.enter_context(memory_file(self._machine.budget)),
                )
            text = (f"{shown}\n" if shown and body.size else shown).encode("utf-8", "surrogateescape")
            head = text + body.read(STATEMENT_LIMIT)
            statement = parse(head.decode("latin-1"))
            if isinstance(statement, Insert):
                await self._insert(statement, text, body)
                return
            if body.size > STATEMENT_LIMIT:
                detail = f"The statement is longer than {STATEMENT_LIMIT} bytes (max_query_size)"
                raise EngineError(62, "SYNTAX_ERROR", detail)
            await self._query(statement, files)

    async def _read_body(self, target: MemoryFile) -> None:
        reader = BodyReader(self._request.content_encoding, target, self._machine.limits.body_bytes)
        try:
            async with asyncio.timeout(self._machine.limits.body_seconds):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    last = not message.get("more_body", False)
                    reader.feed(message.get("body", b""), last)
                    if last:
                        return
        except TimeoutError:
            detail = f"The request body did not arrive within {self._machine.limits.body_seconds:g} seconds"
            raise EngineError(209, "SOCKET_TIMEOUT", detail) from None

    def _read_fields(self, body: MemoryFile) -> list[Part]:
        """Fields become parameters; files are the tables of external data."""
        parts = read_form(self._request.headers["content-type"], body.read(body.size))
        for part in parts:
            if not part.is_file:
                self._request.params[part.name] = part.data.decode("utf-8", "surrogateescape")
        return [part for part in parts if part.is_file]

    async def _insert(self, statement: Insert, shown: bytes, body: MemoryFile) -> None:
        data = body
        if statement.data_start != len(shown):
            data = self._resources.enter_context(memory_file(self._machine.budget))
            data.write(shown[statement.data_start :])
            data.append_from(body, max(0, statement.data_start - len(shown)))
        defaults = {}
        if statement.structure is not None:
            # One stream, as input() has: blocks stay in order, and with them deduplication of a replayed insert.
            defaults["parallelize_output_from_storages"] = "0"
        lane = self._enter(self._machine.writes)
        roles = [self._account.role] if statement.structure is None else [self._account.role, INPUT_ROLE]
        with self._job(statement.reading_from(data.path), defaults, roles) as (job, session):
            async with lane.slot():
                await self._look_at(lane, statement.written)
                outcome = await settled(lane.start(lambda: self._engine_run(job, session)))
        await self._response.complete(outcome, None, (), 0)

    async def _query(self, statement: Query, files: list[Part]) -> None:
        name = statement.format or self._request.default_format
        lane = self._enter(self._machine.control if statement.verb in _QUICK else self._machine.reads)
        text = statement.text
        if statement.verb == "KILL":
            text = rename_words(text, _CLIENT_QUERY_ID)
            if self._account.restricted:
                own = [key for key, name in self._machine.active.items() if name == self._account.name]
                text = kill_only(text, f"{_CLIENT_QUERY_ID['query_id']} IN ({', '.join(map(quote, own))})")
        with self._job(text, {}, [self._account.role], files, keep=statement.temporary) as (job, session):
            async with lane.slot():
                await self._look_at(lane, statement.body)
                if statement.has_rows and await self._stream(lane, statement, job, session, name):
                    return
                outcome = await self._watched(lane, job, session, stoppable=statement.has_rows)
            if session is not None and statement.verb in {"SET", "USE"}:
                self._machine.sessions.remember(session, job.statement)
        await self._response.complete(outcome, name if outcome.data else None, (outcome.data,), len(outcome.data))

    def _enter(self, lane: Lane) -> Lane:
        self.lane = lane.name
        return lane

    async def _look_at(self, lane: Lane, text: str) -> None:
        """Raises EngineError for what the account may not ask, whatever its role. `text` is latin-1 for bytes."""
        statement, parameters, account = _decoded(text), self._request.parameters, self._account
        guard = self._machine.guard
        await settled(lane.start(lambda: guard.check(statement, parameters, account)))

    def _engine_run(self, job: Job, session: Session | None) -> Outcome:
        return self._machine.engine.run(job, session.context if session is not None else None)

    @contextmanager
    def _job(
        self,
        text: str,
        defaults: dict[str, str],
        roles: list[str],
        files: list[Part] | None = None,
        *,
        keep: bool = False,
    ) -> Iterator[tuple[Job, Session | None]]:
        """The statement with everything that has to be said before and after it. `text` is latin-1 for bytes.

        Before it, the engine's only user puts on the account's `roles` and nothing else.
        """
        request = self._request
        tables = {part.name: part for part in files or []}
        settings = {**defaults, **request.settings(frozenset(tables)), "log_comment": request.query_id}
        prelude, epilogue = [], []
        job = Job(_decoded(text), request.default_format, parameters=request.parameters)
        with ExitStack() as stack:
            session = None
            if request.session_id is not None:
                session = stack.enter_context(
                    self._machine.sessions.enter(
                        f"{self._account.name}:{request.session_id}",
                        request.session_timeout,
                        request.session_must_exist,
                    )
                )
                if keep:
                    self._machine.sessions.give_context(session)
            kept = session is not None and session.context is not None
            if kept:
                prelude.append(use_database("default"))
                settings.pop("readonly", None)  # could not be taken back in a context that stays
                epilogue.append("SET ROLE DEFAULT")
                epilogue.append("SET " + ", ".join(f"{name} = DEFAULT" for name in settings))
                epilogue += [f"DROP TEMPORARY TABLE IF EXISTS {quote_identifier(name)}" for name in tables]
            prelude += session.changes if session is not None else []
            if request.database is not None:
                prelude.append(use_database(request.database))
            readonly = settings.pop("readonly", None)
            prelude.append(set_statement(settings))
            for part in tables.values():
                prelude += self._external_table(part, stack)
            prelude.append(f"SET ROLE {', '.join(roles)}")
            if readonly is not None:
                prelude.append(set_statement({"readonly": readonly}))
            yield replace(job, prelude=prelude, epilogue=epilogue), session

    def _external_table(self, part: Part, stack: ExitStack) -> list[str]:
        """Statements that make a temporary table out of a file of the request."""
        params = self._request.params
        structure = params.get(f"{part.name}_structure")
        if structure is None and (types := params.get(f"{part.name}_types")) is not None:
            structure = ", ".join(f"_{number} {kind}" for number, kind in enumerate(split_types(types), 1))
        if structure is None:
            detail = f"Neither {part.name}_structure nor {part.name}_types describes the external table {part.name}"
            raise EngineError(36, "BAD_ARGUMENTS", detail)
        file = stack.enter_context(memory_file(self._machine.budget))
        file.write(part.data)
        name, form = quote_identifier(part.name), params.get(f"{part.name}_format", "TabSeparated")
        if not form.isidentifier():
            raise EngineError(73, "UNKNOWN_FORMAT", f"Unknown format {form}")
        return [
            f"CREATE TEMPORARY TABLE {name} ({structure})",
            f"INSERT INTO {name} FROM INFILE {quote(file.path)} COMPRESSION 'none' FORMAT {form}",
        ]

    async def _watched(self, lane: Lane, job: Job, session: Session | None, *, stoppable: bool) -> Outcome:
        """Run to the end; if the client leaves, stop what only reads. Changes are finished, as ClickHouse does."""
        future = lane.start(lambda: self._engine_run(job, session))
        if not stoppable:
            return await settled(future)
        gone = asyncio.ensure_future(self._gone())
        try:
            either: set[asyncio.Future[Any]] = {future, gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                raise ClientGone
            return future.result()
        finally:
            gone.cancel()
            await self._stop(future)

    async def _stream(self, lane: Lane, query: Query, job: Job, session: Session | None, name: str) -> bool:
        """Send the result as the engine writes it. False when the statement takes no INTO OUTFILE and did not run."""
        pipe = ResultPipe()
        streamed = _decoded(query.writing_to(pipe.path, self._request.default_format))

        def work() -> Outcome:
            try:
                return self._engine_run(replace(job, statement=streamed), session)
            finally:
                pipe.close_writer()

        future = lane.start(work)
        gone = asyncio.ensure_future(self._gone())
        held = HeldResult(self._machine.spill)
        try:
            async for piece in pipe.pieces(gone):
                if self._response.started:
                    await self._response.write(piece)
                    continue
                held.add(piece)
                if held.size >= PIECE and not self._request.waits_for_end:
                    await self._response.start_stream(name)
                    for part in held.drain():
                        await self._response.write(part)
            if gone.done():
                raise ClientGone
            try:
                outcome = await asyncio.shield(future)
            except EngineError as error:
                if error.code == 62 and not held.size:
                    return False
                raise
            if self._response.started:
                await self._response.finish()
            else:
                await self._response.complete(outcome, name, held.drain(), held.size)
            return True
        finally:
            held.close()
            gone.cancel()
            pipe.close_reader()
            await self._stop(future)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stop(self, future: asyncio.Future[Outcome]) -> None:
        """Kill the statement until its thread is free, even while this task is being cancelled."""
        if not future.done():
            await settled(asyncio.ensure_future(self._kill_until_done(future)))
        if not future.cancelled():
            future.exception()

    async def _kill_until_done(self, future: asyncio.Future[Outcome]) -> None:
        # The first KILL may come before the engine knows the statement.
        while not future.done():
            await self._machine.control.run(lambda: self._machine.engine.kill(self._request.query_id))
            await asyncio.wait({future}, timeout=0.2)


def _decoded(text: str) -> str:
    """Bytes that stand in latin-1, as the text they are."""
    return text.encode("latin-1").decode("utf-8", "replace")
