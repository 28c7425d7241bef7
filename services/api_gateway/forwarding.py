"""Forward a request to a service, streaming both ways, and stop as soon as either side is gone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import structlog
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from libs.common import tracing
from libs.common.clock import Clock
from libs.common.errors import (
    AirisError,
    ClientClosedRequest,
    InvalidRequest,
    PayloadTooLarge,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from libs.common.web.disconnect import cancel_on_disconnect
from libs.common.web.raw_path import DOT_SEGMENTS, raw_path
from services.api_gateway.forwarded_headers import Headers, response_headers
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.upstreams import NAMED_PREFIXES, Upstream

RETRY_AFTER_SECONDS = 2.0

log = structlog.get_logger(__name__)


def request_target(scope: Scope) -> bytes:
    """Path and query exactly as the client wrote them, so that nothing is decoded and encoded differently on the way.

    Raises InvalidRequest for a path that we and an upstream might read differently: dot segments, backslashes, control
    characters, anything but ASCII. The path that decided about access must be the path the upstream resolves. Below routes
    that take names both match the path as it was written, so that a name may hold anything, percent-encoded.
    """
    raw = raw_path(scope)
    named = raw.startswith(NAMED_PREFIXES)
    decoded = raw if named else unquote(raw)
    segments = decoded.replace("\\", "/").split("/")
    if named and any(unquote(segment) in DOT_SEGMENTS for segment in segments):
        raise InvalidRequest(
            "'.' and '..' cannot be part of a path. Ask for the name in the query, as in /api/v1/service?name=.."
        )
    if (
        not raw.startswith("/")
        or not raw.isascii()
        or "\\" in decoded
        or any(segment in DOT_SEGMENTS for segment in segments)
        or any(ord(character) < 0x20 or ord(character) == 0x7F for character in decoded)
    ):
        raise InvalidRequest("The path has dot segments, backslashes or control characters. Send a plain path.")
    query: bytes = scope.get("query_string", b"")
    target = raw.encode("latin-1") + (b"?" + query if query else b"")
    if any(byte <= 0x20 or byte >= 0x7F for byte in target):
        raise InvalidRequest("The URL has characters that must be percent-encoded.")
    return target


class RequestBody:
    """The client's body as a stream, bounded, and afterwards the news that the client left."""

    def __init__(self, request: Request, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._over = asyncio.Event()
        self._gone = False
        length = request.headers.get("content-length")
        self.present = length not in {None, "0"} or "transfer-encoding" in request.headers
        if not self.present:
            self._over.set()
        if length is not None and length.isdecimal() and int(length) > limit:
            raise self._too_large()

    async def stream(self) -> AsyncIterator[bytes]:
        """Chunks as they arrive. Raises PayloadTooLarge past the limit, ClientClosedRequest when the client leaves."""
        received = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = True
                self._over.set()
                raise ClientClosedRequest
            chunk: bytes = message.get("body", b"")
            received += len(chunk)
            if received > self._limit:
                raise self._too_large()
            if not message.get("more_body", False):
                # Now, not after the last chunk is sent: nobody else reads from the client from here on.
                self._over.set()
                if chunk:
                    yield chunk
                return
            if chunk:
                yield chunk

    async def receive_after(self) -> Message:
        """An ASGI `receive` for whoever waits for the disconnect; silent while the body is still being read."""
        await self._over.wait()
        return {"type": "http.disconnect"} if self._gone else await self._receive()

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body passes {self._limit} bytes. Send less at a time.")


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What to send where. `headers` are complete; `target` is path and query."""

    upstream: Upstream
    target: bytes
    headers: Headers
    body_limit: int


class ForwardedResponse(Response):
    """The upstream's response, as it arrives.

    Until the head is out, failures are problems: 503 upstream-unavailable when the upstream cannot be reached or breaks
    off, 504 upstream-timeout when it is silent, 413 for the body, 499 when the client left. After that a broken body is
    left unfinished, so that the client sees a broken connection and not a whole answer.
    """

    def __init__(self, forwarding: Forwarding, metrics: GatewayMetrics, clock: Clock) -> None:
        super().__init__()
        self._forwarding = forwarding
        self._metrics = metrics
        self._clock = clock
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        body = RequestBody(request, receive, self._forwarding.body_limit)
        outcome = "failed"
        try:
            await cancel_on_disconnect(Request(scope, body.receive_after), self._exchange(request, body, send))
            outcome = "ok"
        except AirisError as error:
            outcome = error.id
            if not self._started:
                raise
            log.info("response broken off", upstream=self._forwarding.upstream.service, error=error.id)
        finally:
            self._metrics.upstream_requests.labels(self._forwarding.upstream.service, outcome).inc()

    async def _exchange(self, request: Request, body: RequestBody, send: Send) -> None:
        forwarding = self._forwarding
        upstream = forwarding.upstream
        outgoing = httpx.Request(
            request.method,
            upstream.base_url,
            headers=forwarding.headers,
            content=body.stream() if body.present else None,
            extensions={"target": forwarding.target, "timeout": upstream.client.timeout.as_dict()},
        )
        with tracing.span(
            f"{request.method} {upstream.service}", kind=SpanKind.CLIENT, attributes={"peer.service": upstream.service}
        ):
            try:
                await self._relay(upstream, outgoing, request.method, send)
            except (httpx.InvalidURL, httpx.LocalProtocolError) as error:
                # Our server let it pass, and our client will not send it.
                raise InvalidRequest("The request's URL, headers or length do not follow HTTP.") from error
            except (httpx.PoolTimeout, httpx.ConnectTimeout, httpx.ConnectError) as error:
                raise self._unavailable(error) from error
            except httpx.TimeoutException as error:
                raise UpstreamTimeout(f"The {upstream.service} service did not answer in time.") from error
            except httpx.TransportError as error:
                raise self._unavailable(error) from error

    async def _relay(self, upstream: Upstream, outgoing: httpx.Request, method: str, send: Send) -> None:
        begun = self._clock.monotonic()
        response = await upstream.client.send(outgoing, stream=True)
        try:
            self._metrics.upstream_response_seconds.labels(upstream.service).observe(self._clock.monotonic() - begun)
            bodyless = response.status_code in {204, 304}
            headers = response_headers(response.headers.raw, base_url=str(upstream.base_url), bodyless=bodyless)
            self._started = True
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            if method != "HEAD" and not bodyless:
                async for chunk in response.aiter_raw():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            # Also when cancelled: the connection is closed then, which is how the upstream learns that nobody waits.
            await response.aclose()

    def _unavailable(self, error: Exception) -> UpstreamUnavailable:
        service = self._forwarding.upstream.service
        log.warning("upstream unavailable", upstream=service, error=type(error).__name__)
        return UpstreamUnavailable(f"The {service} service does not answer right now.", retry_after=RETRY_AFTER_SECONDS)
