"""HTTP/1.1 as uvicorn speaks it, with a bound on a request's head.

uvicorn's own takes heads of any size, at a cost that grows with the square of a URL's length, and waits for their end for
ever: one stranger could hold the event loop for minutes, or all connections.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.common.errors import AirisError, InvalidRequest, RequestHeadTooLarge, RequestTimeout
from libs.common.web.problems import problem_response

log = structlog.get_logger(__name__)

# A slow line brings 64 KiB in a second; a sender that needs longer holds connections open for their own sake.
HEAD_SECONDS = 15.0


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses, with a problem document, what is not HTTP/1.1 and heads that are too long or too slow.

    `refused` is told of each refusal, which no application sees. A head that arrives in one piece (at most 256 KiB,
    asyncio's buffer) is let in even if it passes `max_head_bytes`: it has cost by then what it can cost.
    """

    def __init__(
        self, *args: Any, max_head_bytes: int, refused: Callable[[AirisError], None] | None = None, **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self._max_head_bytes = max_head_bytes
        self._refused = refused
        self._head_bytes = 0
        self._in_head = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._fed = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._fed = data
        super().data_received(data)
        self._fed = b""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._max_head_bytes:
                limit = f"{self._max_head_bytes} bytes"
                self._refuse(RequestHeadTooLarge(f"URL and headers together may have {limit}; send data in the body."))
                return
        if self._in_head or self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._fed.startswith(b"PRI * HTTP/2"):
            msg = "This port speaks HTTP/1.1, not HTTP/2. OTLP over gRPC has a port of its own, 4317 unless configured otherwise."
        elif self._fed.startswith(b"\x16\x03"):
            msg = "This port speaks plain HTTP, not TLS. Use http:// in the URL."
        else:
            msg = "What arrived is not a valid HTTP/1.1 request."
        self._refuse(InvalidRequest(msg))

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()  # a pipelined request's; the one before is still being answered
        elif self._in_head:
            self._refuse(RequestTimeout(f"URL and headers did not arrive within {HEAD_SECONDS:g} seconds."))
        else:
            self.transport.close()

    def _refuse(self, error: AirisError) -> None:
        self._stop_waiting()
        self._in_head = False
        if self.transport.is_closing():
            return
        log.info("request refused", error=error.id, detail=error.detail, client=(self.client or ("",))[0])
        if self._refused is not None:
            self._refused(error)
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()  # the answer to another request is on its way, and this one must not land in it
            return
        response = problem_response(error, instance="", request_id="")
        lines = [STATUS_LINE[error.status]]
        lines += [name + b": " + value + b"\r\n" for name, value in response.raw_headers]
        self.transport.write(b"".join((*lines, b"connection: close\r\n\r\n", bytes(response.body))))
        self.transport.close()
