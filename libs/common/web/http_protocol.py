"""HTTP/1.1 as uvicorn speaks it, with a bound on a request's head, and deaf to offers of protocols that it does not speak.

uvicorn's own takes heads of any size, at a cost that grows with the square of a URL's length, and waits for their end for
ever: one stranger could hold the event loop for minutes, or all connections. And where a request offers an upgrade, its
parser takes all that follows the head for the other protocol: the body is lost, the application sees none and answers as
if there had been none, and a body that arrives later is executed as a request of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.common.errors import AirisError, InvalidRequest, MethodNotAllowed, RequestHeadTooLarge, RequestTimeout
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
        self._fed_an_end = False  # of an earlier request, in the same piece of data

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._fed, self._fed_an_end = data, False
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self.send_400_response(str(error))
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
        # What stands before it in the same piece of data is another request's.
        self._in_head, self._head_bytes = True, -len(self._fed) if self._fed_an_end else 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        if not self.parser.should_upgrade() or self._should_upgrade():
            super().on_headers_complete()
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(MethodNotAllowed("This is no proxy: CONNECT is not served."))

    def on_message_complete(self) -> None:
        self._fed_an_end = True
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        """Have the parser read. Raises httptools.HttpParserError."""
        rest: bytes | memoryview = data
        while rest:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offered:
                if self.transport.is_closing():
                    return
                if self._should_upgrade():  # to WebSockets, once `serve` is told to speak them
                    self.handle_websocket_upgrade()
                    return
                # An offer that is not taken up is ignored and the request served whole (RFC 9110, 7.8).
                # By a new parser: where the connection shall end with this request, the old one reads no more.
                head, rest = self._head_without_offer(), memoryview(rest)[offered.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(head)
            else:
                return

    def _head_without_offer(self) -> bytes:
        """The head just read, as it would be without its offer of an upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = (option.strip() for option in value.split(b","))
                kept = b", ".join(option for option in options if option.lower() != b"upgrade")
                lines.append(b"connection: " + kept)
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join((*lines, b"", b""))

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
