"""Asking a program whether it is ready, with sockets only, so that the supervisor stays small."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

HOST = "127.0.0.1"
_ANSWER_BYTES = 16 * 1024


class Check(Protocol):
    async def __call__(self) -> str | None:
        """None when ready, else what is missing. Takes at most a few seconds."""
        ...


@dataclass(frozen=True, slots=True)
class HttpReady:
    """Ready when GET `path` on a loopback port answers 200."""

    port: int
    path: str = "/readyz"
    seconds: float = 3.0

    async def __call__(self) -> str | None:
        request = f"GET {self.path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nConnection: close\r\n\r\n"
        answer, problem = await _ask(self.port, request.encode(), self.seconds)
        if problem is not None:
            return problem
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"200"]:
            return None
        return f"{self.path} answers {b''.join(status).decode('ascii', 'replace')}: {body[:400].decode('utf-8', 'replace')}"


@dataclass(frozen=True, slots=True)
class RedisReady:
    """Ready when PING answers PONG, which Redis does not before its log is loaded."""

    port: int
    password: str
    seconds: float = 3.0

    async def __call__(self) -> str | None:
        commands = f"AUTH {self.password}\r\nPING\r\nQUIT\r\n"
        answer, problem = await _ask(self.port, commands.encode(), self.seconds)
        if problem is not None:
            return problem
        return None if b"+PONG" in answer else answer[:200].decode("utf-8", "replace").strip()


async def first_problem(checks: Iterable[Check]) -> str | None:
    """What the first unhappy check says; None when all are content."""
    for check in checks:
        if (problem := await check()) is not None:
            return problem
    return None


async def _ask(port: int, request: bytes, seconds: float) -> tuple[bytes, str | None]:
    """Everything the other side says until it closes, or what went wrong."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request)
            await writer.drain()
            answer = b""
            while len(answer) < _ANSWER_BYTES and (piece := await reader.read(_ANSWER_BYTES)):
                answer += piece
            return answer, None
    except TimeoutError:
        return b"", f"port {port} does not answer within {seconds:g} s"
    except OSError as error:
        return b"", f"port {port}: {error.strerror or error}"
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
