"""Exports over HTTP: POST to the paths of the endpoints, in any of their formats.

Raw ASGI around the framework's application, outside of its middlewares and routing: for a body of ten spans these would
cost more than the work itself.
"""

import asyncio
import math
import re
from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from libs.common.errors import (
    AirisError,
    ClientClosedRequest,
    MethodNotAllowed,
    Unauthenticated,
    UnsupportedMediaType,
)
from libs.common.web.problems import MEDIA_TYPE as PROBLEM
from services.ingestion.receivers.cors import Cors, Headers
from services.ingestion.receivers.decompression import CODINGS
from services.ingestion.receivers.failures import failure_json
from services.ingestion.receivers.intake import RequestIds
from services.ingestion.receivers.protocol import Endpoint
from services.ingestion.receivers.reception import Reception, Request
from services.ingestion.settings import ReceiverSettings

# After a refusal, what the sender still uploads is read and dropped, so that it sees the answer and not a reset.
_LINGER_SECONDS = 5.0
# So much of a refused body may follow on a connection that stays open.
_LINGER_BYTES = 1024 * 1024
_SLASHES = re.compile("/{2,}")


class _Body:
    """A request's body as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.unread = True

    async def next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            self.unread = False
            raise ClientClosedRequest
        self.unread = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


class HttpServer:
    """The receiver's outermost application: answers exports, and leaves everything else to `rest`.

    `reception` is asked for with each export, when the lifespan of `rest` has opened it.
    """

    def __init__(
        self,
        rest: FastAPI,
        endpoints: Sequence[Endpoint],
        *,
        settings: ReceiverSettings,
        reception: Callable[[], Reception],
        request_ids: RequestIds,
    ) -> None:
        self.rest = rest
        self.state = rest.state
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints if endpoint.path}
        self._reception = reception
        self._request_ids = request_ids
        self._max_bytes = settings.max_body_bytes
        self._cors = Cors(settings.cors_origins, settings.cors_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self.rest(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            await _respond(send, 204, self._cors.preflight(headers), b"")
        else:
            await self._export(endpoint, scope, headers, receive, send)

    def _endpoint(self, path: str) -> Endpoint | None:
        """A base URL that ends in a slash, or a full one that had a slash added, still means the endpoint."""
        found = self._endpoints.get(path)
        return found or self._endpoints.get(_SLASHES.sub("/", path).rstrip("/"))

    async def _export(
        self, endpoint: Endpoint, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        sent_type = headers.get(b"content-type", b"").decode("latin-1")
        if sent_type not in endpoint.formats:
            sent_type = sent_type.partition(";")[0].strip().lower()
        declared = headers.get(b"content-length", b"")
        body = _Body(receive)
        request = Request(
            endpoint=endpoint,
            media_type=sent_type,
            authorization=headers.get(b"authorization"),
            coding=headers.get(b"content-encoding", b"").strip().lower().decode("latin-1") or "identity",
            request_id=self._request_ids.of(headers.get(b"x-request-id", b"").decode("latin-1")),
            body=body,
            expected_bytes=int(declared) if declared.isdigit() else 0,
            max_bytes=self._max_bytes,
        )
        common: Headers = [(b"x-request-id", request.request_id.encode())]
        if b"origin" in headers:
            common += self._cors.answer(headers)
        reception = self._reception()
        try:
            if scope["method"] != "POST":
                raise reception.refuse(request, MethodNotAllowed(f"{endpoint.path} takes POST."))
            content = await reception.take(request)
        except ClientClosedRequest:
            return
        except AirisError as error:
            await _refuse(send, error, request, body, headers, common, scope["path"])
        else:
            await _respond(send, 200, [(b"content-type", sent_type.encode()), *common], content)


async def _respond(send: Send, status: int, headers: Headers, content: bytes, *, last: bool = True) -> None:
    if status != 204:
        headers = [*headers, (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": not last})


async def _refuse(
    send: Send,
    error: AirisError,
    request: Request,
    body: _Body,
    headers: dict[bytes, bytes],
    common: Headers,
    path: str,
) -> None:
    """Answer with an error in the form the request spoke, or as a problem document when that is not known."""
    spoken = request.endpoint.formats.get(request.media_type)
    content = (spoken.failure if spoken else failure_json)(error, path, request.request_id)
    sent: Headers = [(b"content-type", (spoken.media_type if spoken else PROBLEM).encode()), *common]
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
