"""Health checks against servers that answer in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from embedded.health import HttpReady, RedisReady, first_problem
from libs.common.testing import free_port


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[int]:
    """Answers everything with the same bytes, or never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        if answer is None:
            await reader.read()  # until the client has had enough
        else:
            writer.write(answer)
        writer.close()
        answered.set()

    answered = asyncio.Event()
    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]
        await asyncio.wait_for(answered.wait(), 5)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", None),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nstore: gone", "/readyz answers 503: store: gone"),
        (b"", "/readyz answers : "),
        (b"nonsense", "/readyz answers : "),
        (None, "does not answer within 0.2 s"),
    ],
)
async def test_http(answer: bytes | None, problem: str | None) -> None:
    async with server(answer) as port:
        found = await HttpReady(port, seconds=0.2)()
        assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"+OK\r\n+PONG\r\n+OK\r\n", None),
        (b"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        (b"-WRONGPASS invalid\r\n-NOAUTH\r\n", "WRONGPASS"),
    ],
)
async def test_redis(answer: bytes, problem: str | None) -> None:
    async with server(answer) as port:
        found = await RedisReady(port, "x")()
        assert found is None if problem is None else problem in str(found)


async def test_nobody_listens() -> None:
    port = free_port()
    assert f"port {port}: " in str(await HttpReady(port)())


async def test_the_first_problem_is_told() -> None:
    async with server(b"HTTP/1.1 200 OK\r\n\r\n") as good, server(b"HTTP/1.1 500 X\r\n\r\n") as bad:
        assert await first_problem([HttpReady(good), HttpReady(good, "/livez")]) is None
        assert "500" in str(await first_problem([HttpReady(good), HttpReady(bad)]))
