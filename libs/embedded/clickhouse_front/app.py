"""ClickHouse's HTTP interface over the engine (https://clickhouse.com/docs/interfaces/http), as a plain ASGI application."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from libs.embedded.clickhouse_front import compression, sql
from libs.embedded.clickhouse_front.engine import Engine, EngineError, Job, Lane, Outcome, memory_file
from libs.embedded.clickhouse_front.status import content_type, http_status

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STATEMENT_LIMIT = 1 << 20
PIECE = 1 << 20
NOT_SETTINGS = frozenset(
    {
        "query", "database", "default_format", "session_id", "session_timeout", "session_check", "query_id", "quota_key",
        "user", "password", "compress", "decompress", "wait_end_of_query", "buffer_size", "stacktrace", "role",
        "client_protocol_version", "http_write_exception_in_output_format", "enable_http_compression",
        "send_progress_in_http_headers", "http_headers_progress_interval_ms", "add_http_cors_header",
        "cancel_http_readonly_queries_on_client_close", "http_zlib_compression_level", "log_comment",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` bytes of one decoded request; seconds a request's body may take to arrive."""

    body: int
    body_seconds: float = 60.0


class ClientGone(Exception):
    """The client disconnected before it got its answer."""


class Front:
    def __init__(self, engine: Engine, reads: Lane, writes: Lane, limits: Limits, user: str, password: str) -> None:
        self._engine, self._reads, self._writes, self._limits = engine, reads, writes, limits
        self._user, self._password = user, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path in ("/ping", "/livez", "/readyz", "/replicas_status"):
            await _plain(send, 200, b"Ok.\n")
        elif path in ("/", "/query"):
            await Exchange(self, scope, receive, send).run()
        else:
            await _plain(send, 404, f"There is no handle {path}\n\nUse / or /ping for health checks.\n".encode())
        del method

    def authorised(self, user: str, password: str) -> bool:
        return hmac.compare_digest(user.encode(), self._user.encode()) and hmac.compare_digest(password.encode(), self._password.encode())


class Exchange:
    """One request and its answer."""

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self.front, self.scope, self.receive, self.send = front, scope, receive, send
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, encoding="utf-8"))
        self.query_id = self.params.get("query_id") or self.headers.get("x-clickhouse-query-id") or str(uuid.uuid4())
        self.started = False

    async def run(self) -> None:
        body_fd = memory_file("clickhouse-body")
        try:
            await self._authorise()
            await self._serve(body_fd)
        except EngineError as error:
            await self._fail(error)
        except sql.SqlError as error:
            await self._fail(EngineError(error.code, error.name, error.detail))
        except ClientGone:
            return
        finally:
            os.close(body_fd)

    async def _authorise(self) -> None:
        user, password = self.headers.get("x-clickhouse-user", self.params.get("user", "default")), self.headers.get("x-clickhouse-key", self.params.get("password", ""))
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                user, _, password = base64.b64decode(rest).decode().partition(":")
        if not self.front.authorised(user, password):
            raise EngineError(516, "AUTHENTICATION_FAILED", f"{user}: Authentication failed: password is incorrect, or there is no user with such name.")

    async def _read_body(self, target: int) -> int:
        """Decode the body into `target`; returns its decoded size."""
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity") and encoding not in compression.DECODERS:
            raise EngineError(36, "BAD_ARGUMENTS", f"Unknown compression method: {encoding}. Use lz4, zstd, gzip or deflate.")
        decoder = compression.DECODERS[encoding]() if encoding in compression.DECODERS else None
        size = 0
        while True:
            message = await asyncio.wait_for(self.receive(), self.front._limits.body_seconds)
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece = message.get("body", b"")
            try:
                if decoder is not None:
                    piece = decoder.feed(piece)
                    if not message.get("more_body"):
                        piece += decoder.finish()
            except compression.ERRORS as error:
                raise EngineError(271, "CANNOT_DECOMPRESS", f"Cannot decompress the request body as {encoding}: {error}") from error
            size += len(piece)
            if size > self.front._limits.body:
                raise EngineError(1001, "REQUEST_TOO_LARGE", f"The request body is larger than {self.front._limits.body} bytes. Send smaller inserts.")
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
            if not message.get("more_body"):
                return size

    async def _serve(self, body_fd: int) -> None:
        size = await self._read_body(body_fd)
        prefix = self.params.get("query", "")
        if prefix and self.scope["method"] != "GET":
            prefix += "\n"
        head = prefix.encode().decode("latin-1")
        shown = len(head)
        room = STATEMENT_LIMIT
        head += os.pread(body_fd, room, 0).decode("latin-1")
        statement = sql.parse(head)
        settings = {name: value for name, value in self.params.items() if name not in NOT_SETTINGS and not name.startswith("param_")}
        parameters = {name[6:]: value for name, value in self.params.items() if name.startswith("param_")}
        default_format = self.params.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"
        lane = self.front._writes if statement.verb == "INSERT" else self.front._reads

        def job(text: str) -> Job:
            return Job(text.encode("latin-1").decode("utf-8", "replace"), default_format, self.query_id, self.params.get("database") or self.headers.get("x-clickhouse-database"), settings, parameters)

        if statement.data_start is not None:
            data_fd = body_fd
            if statement.data_start != shown:
                data_fd = memory_file("clickhouse-insert")
            try:
                if data_fd != body_fd:
                    start = statement.data_start
                    if start < shown:
                        os.write(data_fd, head[start:shown].encode("latin-1"))
                    _copy(body_fd, data_fd, max(0, start - shown), size)
                async with lane.slot():
                    outcome = await self._in_thread(lane, job(statement.reading_from(f"/proc/self/fd/{data_fd}")))
            finally:
                if data_fd != body_fd:
                    os.close(data_fd)
            await self._answer(outcome, None)
            return
        if len(head) > shown + room - 1 and size > room:
            raise EngineError(62, "SYNTAX_ERROR", f"The statement is longer than {STATEMENT_LIMIT} bytes (max_query_size).")
        async with lane.slot():
            if statement.streamed:
                await self._stream(lane, statement, job, default_format)
            else:
                outcome = await self._in_thread(lane, job(statement.text))
                await self._answer(outcome, statement.format or default_format)

    async def _in_thread(self, lane: Lane, job: Job) -> Outcome:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(lane.threads, self.front._engine.run, job)
        gone = asyncio.ensure_future(self._wait_gone())
        try:
            await asyncio.wait({future, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                await self._cancel(future)
                raise ClientGone
            return future.result()
        finally:
            gone.cancel()

    async def _wait_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _cancel(self, future: asyncio.Future[Outcome]) -> None:
        loop = asyncio.get_running_loop()
        while not future.done():
            await loop.run_in_executor(self.front._engine.control, self.front._engine.kill, self.query_id)
            await asyncio.wait({future}, timeout=0.5)
        future.exception()

    async def _stream(self, lane: Lane, statement: sql.Statement, job: Callable[[str], Job], default_format: str) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

        def work() -> Outcome:
            try:
                return self.front._engine.run(job(statement.writing_to(f"/proc/self/fd/{writer}", default_format)))
            finally:
                os.close(writer)

        future = loop.run_in_executor(lane.threads, work)
        gone = asyncio.ensure_future(self._wait_gone())
        wait = self.params.get("wait_end_of_query") in ("1", "true")
        encoding = self._encoding()
        encoder = compression.ENCODERS[encoding]() if encoding else None
        held: list[bytes] = []
        held_size = 0
        sent = False
        name = statement.format or default_format
        try:
            async for piece in _pipe(reader, gone):
                if sent:
                    await self.send({"type": "http.response.body", "body": encoder.feed(piece) if encoder else piece, "more_body": True})
                    continue
                held.append(piece)
                held_size += len(piece)
                if not wait and held_size >= PIECE:
                    await self._start(200, self._result_headers(None, name, encoding))
                    sent = True
                    joined = b"".join(held)
                    held.clear()
                    await self.send({"type": "http.response.body", "body": encoder.feed(joined) if encoder else joined, "more_body": True})
            if gone.done() and not future.done():
                raise ClientGone
            outcome = await future
            if not sent:
                await self._answer(outcome, name, b"".join(held))
                return
            await self.send({"type": "http.response.body", "body": encoder.finish() if encoder else b""})
        finally:
            gone.cancel()
            os.close(reader)
            if not future.done():
                await asyncio.shield(self._cancel(future))

    def _encoding(self) -> str | None:
        if self.params.get("enable_http_compression", "0") not in ("1", "true"):
            return None
        return compression.choose_encoding(self.headers.get("accept-encoding", ""))

    def _result_headers(self, outcome: Outcome | None, name: str | None, encoding: str | None) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Query-Id": self.query_id,
            "X-ClickHouse-Timezone": self.front._engine.timezone,
            "X-ClickHouse-Server-Display-Name": "airis-embedded",
            "X-ClickHouse-Summary": _summary(outcome),
            "Content-Type": content_type(name),
        }
        if name:
            headers["X-ClickHouse-Format"] = name
        if encoding:
            headers["Content-Encoding"] = encoding
        return headers

    async def _answer(self, outcome: Outcome, name: str | None, data: bytes | None = None) -> None:
        body = outcome.data if data is None else data
        encoding = self._encoding() if body else None
        headers = self._result_headers(outcome, name, encoding)
        if encoding:
            encoder = compression.ENCODERS[encoding]()
            body = encoder.feed(body) + encoder.finish()
        headers["Content-Length"] = str(len(body))
        await self._start(200, headers)
        await self.send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": [(key.lower().encode(), value.encode("latin-1")) for key, value in headers.items()]})

    async def _fail(self, error: EngineError) -> None:
        text = f"Code: {error.code}. DB::Exception: {error.message} ({error.name}) (version {self.front._engine.version} (official build))\n".encode()
        if self.started:
            return
        headers = self._result_headers(None, None, None)
        headers |= {"X-ClickHouse-Exception-Code": str(error.code), "Content-Length": str(len(text)), "Content-Type": "text/plain; charset=UTF-8"}
        await self._start(http_status(error.code), headers)
        await self.send({"type": "http.response.body", "body": text})


def _summary(outcome: Outcome | None) -> str:
    if outcome is None:
        return '{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0","total_rows_to_read":"0","result_rows":"0","result_bytes":"0","elapsed_ns":"0"}'
    numbers = {
        "read_rows": outcome.read_rows, "read_bytes": outcome.read_bytes, "written_rows": outcome.written_rows,
        "written_bytes": outcome.written_bytes, "total_rows_to_read": outcome.read_rows, "result_rows": outcome.result_rows,
        "result_bytes": len(outcome.data), "elapsed_ns": outcome.elapsed_nano,
    }  # fmt: skip
    return json.dumps({key: str(value) for key, value in numbers.items()}, separators=(",", ":"))


async def _pipe(reader: int, gone: asyncio.Future[None]) -> AsyncIterator[bytes]:
    """Pieces written to a pipe until its writers close it, or until `gone`."""
    loop = asyncio.get_running_loop()
    while not gone.done():
        try:
            piece = os.read(reader, PIECE)
        except BlockingIOError:
            readable = loop.create_future()
            loop.add_reader(reader, lambda: readable.done() or readable.set_result(None))
            try:
                await asyncio.wait({readable, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                loop.remove_reader(reader)
            continue
        if not piece:
            return
        yield piece


def _copy(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        start += os.sendfile(target, source, start, end - start)


async def _plain(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain; charset=UTF-8"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
