"""OTLP over HTTP: POST /v1/traces, /v1/logs and /v1/metrics, in protobuf and in JSON.

Raw ASGI around the framework's application, outside of its middlewares and routing: for a body of ten spans these would
cost more than the work itself. Source: OTLP 1.x, "OTLP/HTTP"; CORS: fetch.spec.whatwg.org.
"""

import asyncio
import math
from collections.abc import Callable

import structlog
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from libs.common.clock import Clock
from libs.common.errors import (
    AirisError,
    ClientClosedRequest,
    InternalError,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimeout,
    Unauthenticated,
    UnsupportedMediaType,
)
from libs.common.web.problems import MEDIA_TYPE as PROBLEM
from services.ingestion import answers
from services.ingestion.admission import Admission
from services.ingestion.decompression import CODINGS, unpack
from services.ingestion.intake import Intake, RequestIds
from services.ingestion.metrics import ReceiverMetrics, RequestBook
from services.ingestion.otlp import EXPORT_SERVICES, ExportService
from services.ingestion.settings import ReceiverSettings

_SERVICES = {service.path: service for service in EXPORT_SERVICES}
# After a refusal, what the sender still uploads is read and dropped, so that it sees the answer and not a reset.
_LINGER_SECONDS = 5.0
# So much of a refused body may follow on a connection that stays open.
_LINGER_BYTES = 1024 * 1024
_CORS_HEADERS = b"authorization, content-type, content-encoding, traceparent, tracestate, baggage, x-request-id"

log = structlog.get_logger(__name__)

Headers = list[tuple[bytes, bytes]]


class _Body:
    """A request's body as it arrives. `unread` while the sender may still be sending."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.unread = True

    async def next(self) -> bytes:
        """The next chunk. Raises ClientClosedRequest."""
        message = await self._receive()
        if message["type"] != "http.request":
            self.unread = False
            raise ClientClosedRequest
        self.unread = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


class OtlpHttp:
    """The receiver's outermost application: answers exports, and leaves everything else to `rest`.

    `parts` is asked with each export, when the lifespan of `rest` has opened them.
    """

    def __init__(
        self,
        rest: FastAPI,
        *,
        settings: ReceiverSettings,
        parts: Callable[[], tuple[Admission, Intake]],
        metrics: ReceiverMetrics,
        clock: Clock,
        request_ids: RequestIds,
    ) -> None:
        self.rest = rest
        self.state = rest.state
        self._settings = settings
        self._parts = parts
        self._book = RequestBook(metrics, "http", [service.signal.name for service in EXPORT_SERVICES])
        self._clock = clock
        self._request_ids = request_ids
        origins = [origin.strip() for origin in settings.cors_origins.split(",")]
        self._any_origin = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = _SERVICES.get(scope["path"]) if scope["type"] == "http" else None
        if service is None:
            await self.rest(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            await _respond(send, 204, [*self._cors(headers), *_PREFLIGHT], b"")
        else:
            await self._export(service, scope, headers, receive, send)

    async def _export(
        self, service: ExportService, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        started = self._clock.monotonic()
        request_id = self._request_ids.of(headers.get(b"x-request-id", b"").decode("latin-1"))
        sent_type = headers.get(b"content-type", b"")
        media_type = _MEDIA_TYPES.get(sent_type) or sent_type.partition(b";")[0].strip().lower().decode("latin-1")
        body = _Body(receive)
        common: Headers = [(b"x-request-id", request_id.encode())]
        if b"origin" in headers:
            common += self._cors(headers)
        try:
            answer = await self._answer(service, scope["method"], media_type, headers, body, request_id)
        except ClientClosedRequest as error:
            self._book.book(service.signal.name, error.id, self._clock.monotonic() - started)
            return
        except AirisError as error:
            failure = error
        except Exception:
            log.exception("export failed", path=scope["path"], request_id=request_id)
            failure = InternalError("An unexpected error occurred. It has been logged under the request id.")
        else:
            self._book.book(service.signal.name, "ok", self._clock.monotonic() - started)
            await _respond(send, 200, [(b"content-type", media_type.encode()), *common], answer)
            return
        self._book.book(service.signal.name, failure.id, self._clock.monotonic() - started)
        await _refuse(send, body, failure, media_type, headers, common, scope["path"], request_id)

    async def _answer(
        self,
        service: ExportService,
        method: str,
        media_type: str,
        headers: dict[bytes, bytes],
        body: _Body,
        request_id: str,
    ) -> bytes:
        if method != "POST":
            raise MethodNotAllowed(f"{service.path} takes POST.")
        if media_type not in {answers.PROTOBUF, answers.JSON}:
            raise UnsupportedMediaType(f"Content-Type must be {answers.PROTOBUF} or {answers.JSON}.")
        coding = "identity"
        if sent_coding := headers.get(b"content-encoding"):
            coding = sent_coding.strip().lower().decode("latin-1") or "identity"
        if coding not in _CODINGS:
            raise UnsupportedMediaType(f"Content-Encoding must be one of {', '.join(CODINGS)}.")
        admission, intake = self._parts()
        key = await admission.admit(headers.get(b"authorization"))
        with admission.in_flight.hold() as hold:
            content = await self._read(body, headers.get(b"content-length"), hold.grow)
            if coding != "identity":
                content = await unpack(content, coding, self._settings.max_unpacked_bytes, hold.grow)
            admission.charge(key, len(content))
            if media_type == answers.JSON:
                return answers.success_json(service, await intake.accept_json(service, content, key, request_id))
            return answers.success_protobuf(service, await intake.accept(service, content, key, request_id))

    async def _read(self, body: _Body, declared: bytes | None, reserve: Callable[[int], None]) -> bytes:
        limit = self._settings.max_body_bytes
        length = int(declared) if declared is not None and declared.isdigit() else None
        if length is not None:
            if length > limit:
                raise _too_large(limit)
            reserve(length)
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                chunks = [await body.next()]
                size = len(chunks[0])
                while body.unread:
                    if size > limit:
                        raise _too_large(limit)
                    chunk = await body.next()
                    size += len(chunk)
                    if length is None:
                        reserve(len(chunk))
                    chunks.append(chunk)
        except TimeoutError:
            raise RequestTimeout(
                f"The body did not arrive within {self._settings.body_timeout_seconds:g} seconds."
            ) from None
        if size > limit:
            raise _too_large(limit)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _cors(self, headers: dict[bytes, bytes]) -> Headers:
        """No credentials: a page sends its key in a header, so a cookie of the user's never counts."""
        origin = headers.get(b"origin", b"")
        expose = (b"access-control-expose-headers", b"retry-after, x-request-id")
        if self._any_origin:
            return [(b"access-control-allow-origin", b"*"), expose]
        vary = (b"vary", b"origin")
        return [(b"access-control-allow-origin", origin), expose, vary] if origin in self._origins else [vary]


_MEDIA_TYPES = {answers.PROTOBUF.encode(): answers.PROTOBUF, answers.JSON.encode(): answers.JSON}
_CODINGS = frozenset({*CODINGS, "x-gzip"})
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", _CORS_HEADERS),
    (b"access-control-max-age", b"7200"),
]


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")


async def _respond(send: Send, status: int, headers: Headers, content: bytes, *, last: bool = True) -> None:
    if status != 204:
        headers = [*headers, (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": not last})


async def _refuse(
    send: Send,
    body: _Body,
    error: AirisError,
    media_type: str,
    headers: dict[bytes, bytes],
    common: Headers,
    path: str,
    request_id: str,
) -> None:
    """Answer with an error in the form the request spoke, or as a problem document when that is not known."""
    if media_type == answers.PROTOBUF:
        content = answers.rpc_status(error).SerializeToString()
    else:
        content = answers.error_json(error, instance=path, request_id=request_id)
    known = media_type in {answers.PROTOBUF, answers.JSON}
    sent: Headers = [(b"content-type", (media_type if known else PROBLEM).encode()), *common]
    sent.append((b"cache-control", b"no-store"))
    if error.retry_after is not None:
        sent.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    if isinstance(error, Unauthenticated):
        sent.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, MethodNotAllowed):
        sent.append((b"allow", b"POST, OPTIONS"))
    elif isinstance(error, UnsupportedMediaType):
        sent.append((b"accept-encoding", ", ".join(CODINGS).encode()))
    declared = headers.get(b"content-length")
    little_follows = declared is not None and declared.isdigit() and int(declared) <= _LINGER_BYTES
    if not body.unread or little_follows or (declared is None and b"transfer-encoding" not in headers):
        await _respond(send, error.status, sent, content)
        return
    await _respond(send, error.status, [*sent, (b"connection", b"close")], content, last=False)
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while body.unread:
                await body.next()
    except (TimeoutError, ClientClosedRequest):
        pass
    closing: Message = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(closing)
