"""Deadlines for request bodies: a sender that never finishes one must not hold a connection, a task and memory for ever."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.clock import Clock
from libs.common.errors import RequestTimeout

# For the whole of it: a while to begin with, and what a slow line (128 kbit/s) needs for what came.
TOTAL_SECONDS, BYTES_PER_SECOND = 30.0, 16 * 1024
# An answer given before the body was read: what may still come is read and dropped for this long, since a connection closed
# over unread bytes is reset, and the answer with it.
LINGER_SECONDS = 2.0


class BodyDeadlineMiddleware:
    """Ends reading of a body that is late with RequestTimeout (408), whoever reads it, and closes the connection then.

    What an answer leaves unread is drained for two seconds, and the connection closed: a body that goes on for ever has
    nobody left who would end it.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, idle_seconds: float) -> None:
        self._app = app
        self._clock = clock
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(receive, send, self._clock, self._idle_seconds)
        await self._app(scope, body.receive, body.send)


class _Body:
    def __init__(self, receive: Receive, send: Send, clock: Clock, idle_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._began = clock.monotonic()
        self._bytes = 0
        self._unread = True
        self._reading = False
        self._closing = False

    async def receive(self) -> Message:
        """ASGI. Raises RequestTimeout; once the body is there, waits for the disconnect as long as it takes."""
        if not self._unread:
            return await self._receive()
        total = TOTAL_SECONDS + self._bytes / BYTES_PER_SECOND - (self._clock.monotonic() - self._began)
        return await self._next(min(self._idle_seconds, total))

    async def send(self, message: Message) -> None:
        """ASGI. Says `Connection: close` when the body is not read, and ends with draining it."""
        if message["type"] == "http.response.start" and self._unread:
            self._closing = True
            kept = [header for header in message.get("headers", ()) if header[0].lower() != b"connection"]
            message["headers"] = [*kept, (b"connection", b"close")]
        elif message["type"] == "http.response.body" and self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _next(self, seconds: float) -> Message:
        self._reading = True
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout("The body did not arrive in time. Send it in one go, and keep sending.") from None
        finally:
            self._reading = False
        self._bytes += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def _drain(self) -> None:
        """Unless somebody else still reads."""
        until = self._clock.monotonic() + LINGER_SECONDS
        while self._unread and not self._reading:
            try:
                await self._next(until - self._clock.monotonic())
            except RequestTimeout:
                return


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower == b"transfer-encoding" or (lower == b"content-length" and value.strip(b"0")):
            return True
    return False
