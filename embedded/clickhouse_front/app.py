"""The ASGI application: who may ask, what is asked, and looking after the engine between requests."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import psutil
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from embedded.clickhouse_front.accounts import Accounts
from embedded.clickhouse_front.engine import EngineError
from embedded.clickhouse_front.exchange import ClientGone, Exchange, Machine, Receive
from embedded.clickhouse_front.metrics import FrontMetrics
from embedded.clickhouse_front.requests import Request
from embedded.clickhouse_front.responses import Response, Send
from embedded.clickhouse_front.sql import SqlError
from libs.common.clock import Clock

log = structlog.get_logger(__name__)

PURGE_SECONDS = 5.0
READY_SECONDS = 2.0
_TEXT = "text/plain; charset=UTF-8"


class Front:
    """ClickHouse's HTTP interface over one engine, for the accounts it knows."""

    def __init__(self, machine: Machine, accounts: Accounts, clock: Clock) -> None:
        self._machine, self._accounts, self._clock = machine, accounts, clock
        self._registry = CollectorRegistry()
        self._metrics = FrontMetrics(self._registry)
        self._used = True

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path = scope["path"]
        if path in {"/", "/query"}:
            if scope["method"] in {"GET", "POST"}:
                await self._serve(scope, receive, send)
            else:
                await _answer(send, 501, b"Use GET or POST.\n")
        elif path in {"/ping", "/livez"}:
            await _answer(send, 200, b"Ok.\n")
        elif path in {"/readyz", "/replicas_status"}:
            await self._ready(send)
        elif path == "/metrics":
            await self._expose(send)
        else:
            body = f"There is no handle {path}\n\nUse / or /ping for health checks.\n"
            await _answer(send, 404, body.encode("utf-8", "replace"))

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request, engine = Request(scope), self._machine.engine
        if request.method == "GET" and "query" not in request.params:
            await _answer(send, 200, b"Ok.\n")
            return
        response = Response(
            send, request.query_id, engine.version, engine.timezone, engine.content_types, request.accepted_encodings
        )
        exchange = Exchange(self._machine, request, receive, response)
        began, status, self._used = self._clock.monotonic(), "ok", True
        try:
            await self._let_in(request, exchange)
        except (EngineError, SqlError) as error:
            failure = error if isinstance(error, EngineError) else EngineError(error.code, error.name, error.detail)
            status = failure.name
            await response.fail(failure)
        except ClientGone:
            status = "client_gone"
        finally:
            self._metrics.requests.labels(lane=exchange.lane, status=status).inc()
            self._metrics.duration.labels(lane=exchange.lane).observe(self._clock.monotonic() - began)
            self._metrics.sent.inc(response.bytes_sent)

    async def _let_in(self, request: Request, exchange: Exchange) -> None:
        account = self._accounts.authenticate(request.credentials())
        request.refuse_unsupported()
        active = self._machine.active
        if request.query_id in active:
            detail = f"Query with id = {request.query_id} is already running."
            raise EngineError(216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", detail)
        active[request.query_id] = account.name
        try:
            await exchange.run(account)
        finally:
            del active[request.query_id]

    async def _ready(self, send: Send) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._machine.control.run(self._machine.engine.memory_bytes)
        except TimeoutError:
            await _answer(send, 503, b"The engine does not answer.\n")
        except EngineError as error:
            await _answer(send, 503, f"{error.name}\n".encode())
        else:
            await _answer(send, 200, b"Ok.\n")

    async def _expose(self, send: Send) -> None:
        machine = self._machine
        for lane in (machine.reads, machine.writes, machine.control):
            self._metrics.waiting.labels(lane=lane.name).set(lane.waiting)
            self._metrics.running.labels(lane=lane.name).set(lane.running)
        self._metrics.held.set(machine.budget.used)
        self._metrics.engine_memory.set(await machine.control.run(machine.engine.memory_bytes))
        self._metrics.resident_memory.set(psutil.Process().memory_info().rss)
        await _answer(send, 200, generate_latest(self._registry), "text/plain; version=0.0.4; charset=utf-8")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            keeper = tasks.create_task(self._look_after(), name="engine-keeper")
            stack.callback(keeper.cancel)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _look_after(self) -> None:
        """Return freed memory and forget old sessions, when something happened since the last time."""
        machine = self._machine
        while True:
            await self._clock.sleep(PURGE_SECONDS)
            machine.sessions.expire()
            if not self._used and not machine.reads.running and not machine.writes.running:
                continue
            self._used = False
            try:
                await machine.control.run(machine.engine.purge_memory)
            except EngineError as error:
                log.warning("cannot purge the engine's memory", error=error.message)


async def _answer(send: Send, status: int, body: bytes, content_type: str = _TEXT) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
