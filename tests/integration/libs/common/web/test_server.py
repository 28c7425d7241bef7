"""Serving over a real socket: starting, draining, clients that leave."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.responses import StreamingResponse

from libs.common.metrics import sample_value
from libs.common.testing import recorded_logs
from libs.common.web import http_protocol
from libs.common.web.application import install_web_defaults
from libs.common.web.disconnect import cancel_on_disconnect
from libs.common.web.health import Readiness
from libs.common.web.server import StartFailed, serve


class Served:
    """An application that can be held in the middle of a request."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.entered, self.go_on = asyncio.Event(), asyncio.Event()
        self.registry = CollectorRegistry()
        self.app = FastAPI(lifespan=self._lifespan)
        install_web_defaults(self.app, service="test", registry=self.registry, readiness=Readiness())

        @self.app.get("/held")
        async def held() -> str:
            self.entered.set()
            await self.go_on.wait()
            self.events.append("answered")
            return "answer"

        @self.app.get("/query")
        async def query(request: Request) -> str:
            return await cancel_on_disconnect(request, self._work())

        @self.app.get("/stream")
        async def stream() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"first"
                self.entered.set()
                await self.go_on.wait()
                yield b"last"

            return StreamingResponse(parts())

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self.events.append("opened")
        yield
        self.events.append("closed")

    async def _work(self) -> str:
        self.entered.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        return "result"


@asynccontextmanager
async def _serving_port(app: FastAPI, **options: Any) -> AsyncIterator[int]:
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(app, "127.0.0.1", 0, stop, listening=listening, **options))
    async with asyncio.timeout(20):
        try:
            yield await listening
        finally:
            stop.set()
            await server


async def _exchange(port: int, *pieces: bytes) -> bytes:
    """Everything the server says until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


_HEAD = b"GET /query HTTP/1.1\r\nHost: test\r\n"


@pytest.mark.parametrize(
    ("pieces", "status", "error", "advice"),
    [
        ([b"no HTTP at all\r\n\r\n"], 400, "invalid-request", "not a valid HTTP/1.1 request"),
        ([_HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"], 400, "invalid-request", "not a valid"),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400, "invalid-request", "gRPC has a port of its own"),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400, "invalid-request", "Use http://"),
        ([_HEAD, *[b"X: " + b"x" * 600 + b"\r\n"] * 10], 431, "request-head-too-large", "4096 bytes"),
        ([b"GET /", *[b"x" * 600] * 10], 431, "request-head-too-large", "4096 bytes"),
        ([_HEAD], 408, "request-timeout", "0.2 seconds"),
    ],
    ids=["garbage", "two lengths", "HTTP/2", "TLS", "endless headers", "endless URL", "unfinished head"],
)
async def test_what_no_application_sees_is_refused_with_a_problem(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], status: int, error: str, advice: str
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    served = Served()
    async with _serving_port(served.app, max_head_bytes=4096) as port:
        head, _, body = (await _exchange(port, *pieces)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["type"]) == (status, f"urn:airis:error:{error}")
    assert advice in problem["detail"]
    assert sample_value(served.registry, "airis_http_errors_total", service="test", error=error) == 1


async def test_a_silent_connection_is_closed_and_a_kept_one_waits_for_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    served = Served()
    async with _serving_port(served.app) as port:
        assert await _exchange(port) == b""
        held = asyncio.create_task(_exchange(port, b"GET /held HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
        await served.entered.wait()
        await asyncio.sleep(0.3)
        served.go_on.set()
        assert b'"answer"' in await held


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Event, asyncio.Task[None]]]:
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(app, "127.0.0.1", 0, stop, listening=listening))
    async with asyncio.timeout(20):
        port = await listening
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            try:
                yield client, stop, server
            finally:
                stop.set()
                await server


async def test_a_stop_finishes_what_is_in_flight_then_closes_the_lifespan() -> None:
    served = Served()
    async with _serving(served.app) as (client, stop, server):
        request = asyncio.create_task(client.get("/held"))
        await served.entered.wait()
        stop.set()
        await asyncio.sleep(0.3)
        assert not server.done()
        with pytest.raises(httpx.ConnectError):
            await httpx.AsyncClient(base_url=client.base_url).get("/livez")
        served.go_on.set()
        assert (await request).json() == "answer"
        await server
    assert served.events == ["opened", "answered", "closed"]


async def test_a_stop_finishes_a_stream() -> None:
    served = Served()
    async with _serving(served.app) as (client, stop, _):
        request = asyncio.create_task(client.get("/stream"))
        await served.entered.wait()
        stop.set()
        await asyncio.sleep(0.2)
        served.go_on.set()
        assert (await request).content == b"firstlast"


async def test_an_idle_kept_alive_connection_does_not_hold_up_a_stop() -> None:
    served = Served()
    async with _serving(served.app) as (client, stop, server):
        assert (await client.get("/livez")).status_code == 200
        stop.set()
        async with asyncio.timeout(3):
            await server


async def test_what_does_not_finish_in_time_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.web.server.GRACEFUL_SECONDS", 1)
    served = Served()
    async with _serving(served.app) as (client, stop, server):
        request = asyncio.create_task(client.get("/held"))
        await served.entered.wait()
        stop.set()
        async with asyncio.timeout(5):
            await server
        response = await request
    assert response.status_code == 503
    assert response.json()["type"] == "urn:airis:error:shutting-down"
    assert served.events == ["opened", "closed"]


async def test_a_client_that_leaves_ends_its_query() -> None:
    served = Served()
    async with _serving(served.app) as (client, _, _):
        with recorded_logs() as logs:
            request = asyncio.create_task(client.get("/query"))
            await served.entered.wait()
            request.cancel()
            async with asyncio.timeout(3):
                while "cancelled" not in served.events or not logs.events("request"):
                    await asyncio.sleep(0.01)
        assert logs.events("request")[0]["error"] == "client-closed-request"
        labels = {"service": "test", "method": "GET", "route": "/query", "status": "499"}
        assert sample_value(served.registry, "airis_http_requests_total", **labels) == 1


async def test_a_client_that_stays_gets_its_result() -> None:
    served = Served()
    served.go_on.set()
    async with _serving(served.app) as (client, _, _):
        assert (await client.get("/query")).json() == "result"


async def test_small_answers_are_not_held_back_by_the_kernel() -> None:
    """Nagle's algorithm and a delayed acknowledgement add 40 ms to each answer on a kept-alive connection."""
    async with _serving(Served().app) as (client, _, _):
        await client.get("/livez")
        started = asyncio.get_running_loop().time()
        for _ in range(20):
            await client.get("/livez")
        assert asyncio.get_running_loop().time() - started < 20 * 0.03


async def test_no_header_tells_what_serves() -> None:
    async with _serving(Served().app) as (client, _, _):
        assert "server" not in (await client.get("/livez")).headers


async def test_an_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await serve(Served().app, "127.0.0.1", port, asyncio.Event())


async def test_a_lifespan_that_raises_fails_the_start_and_is_logged() -> None:
    @asynccontextmanager
    async def broken(_: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no disk")
        yield

    with recorded_logs() as logs, pytest.raises(StartFailed):
        await serve(FastAPI(lifespan=broken), "127.0.0.1", 0, asyncio.Event())
    assert "no disk" in logs.text


async def test_a_cancelled_server_lets_go_of_its_port() -> None:
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    served = Served()
    server = asyncio.create_task(serve(served.app, "127.0.0.1", 0, stop, listening=listening))
    port = await listening
    server.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server
    assert served.events == ["opened", "closed"]
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
