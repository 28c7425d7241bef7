"""Exports over gRPC. Messages are taken as the bytes they are; no generated service, no second parse.

Errors carry google.rpc.Status in `grpc-status-details-bin`, so RetryInfo reaches the sender.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from libs.common.errors import AirisError, InvalidRequest
from libs.common.web.server import StartFailed
from services.ingestion.receivers import failures
from services.ingestion.receivers.intake import RequestIds
from services.ingestion.receivers.protocol import Endpoint
from services.ingestion.receivers.reception import Reception, Request
from services.ingestion.settings import ReceiverSettings

log = structlog.get_logger(__name__)

# For messages being answered when the process stops; uvicorn has had its 20 s by then.
_GRACE_SECONDS = 3.0
# Of one connection. A client that opens more before it has heard of the limit is refused, so it is high.
_MAX_STREAMS = 1024
# The library tells a message's size when it is whole; until then it is taken to have this.
_EXPECTED_BYTES = 64 * 1024
_OPTIONS = (
    ("grpc.max_concurrent_streams", _MAX_STREAMS),
    ("grpc.so_reuseport", 0),  # a second receiver on the same port is a mistake that should be heard
    ("grpc.keepalive_time_ms", 60_000),  # finds senders that vanished behind a NAT
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

Export = Callable[[Any, Any], Awaitable[bytes]]


@asynccontextmanager
async def serve_grpc(
    settings: ReceiverSettings, endpoints: Sequence[Endpoint], reception: Reception, request_ids: RequestIds
) -> AsyncIterator[int]:
    """Take exports until left, then finish those that were begun. Yields the port. Raises StartFailed."""
    server = grpc.aio.server(options=(*_OPTIONS, ("grpc.max_receive_message_length", settings.max_unpacked_bytes)))
    server.add_generic_rpc_handlers((_Exports(endpoints, reception, request_ids, settings.max_unpacked_bytes),))
    host = f"[{settings.grpc_host}]" if ":" in settings.grpc_host else settings.grpc_host
    try:
        port = server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise StartFailed(f"cannot listen on {host}:{settings.grpc_port} for gRPC") from error
    await server.start()
    log.info("listening", protocol="grpc", host=settings.grpc_host, port=port)
    try:
        yield port
    finally:
        await server.stop(_GRACE_SECONDS)


class _Body:
    """The one message of a call."""

    unread = False

    def __init__(self, context: Any) -> None:
        self._context = context

    async def next(self) -> bytes:
        """Raises InvalidRequest when the call ended before a message was whole."""
        message = await self._context.read()
        if message is grpc.aio.EOF:
            # The library has refused the message as too large already, or there was none.
            raise InvalidRequest("An export is one message; none arrived.")
        whole: bytes = message
        return whole


class _Exports(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The methods of the endpoints.

    They are declared as client streams, which are the same on the wire: a handler of a unary call is started after its
    message was read, and this one wants to know who sends before it takes 64 MiB from them.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], reception: Reception, request_ids: RequestIds, max_bytes: int
    ) -> None:
        self._reception = reception
        self._request_ids = request_ids
        self._max_bytes = max_bytes
        self._handlers = {
            endpoint.method: grpc.stream_unary_rpc_method_handler(self._export(endpoint))
            for endpoint in endpoints
            if endpoint.method
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)

    def _export(self, endpoint: Endpoint) -> Export:
        async def export(_messages: Any, context: Any) -> bytes:
            metadata = dict(context.invocation_metadata())
            request = Request(
                endpoint=endpoint,
                media_type="grpc",
                authorization=metadata.get("authorization"),
                coding="identity",  # the library has unpacked
                request_id=self._request_ids.of(metadata.get("x-request-id", "")),
                body=_Body(context),
                expected_bytes=min(_EXPECTED_BYTES, self._max_bytes),
                max_bytes=self._max_bytes,
            )
            try:
                return await self._reception.take(request)
            except AirisError as error:
                await _abort(context, error, request.request_id)
            return b""

        return export


async def _abort(context: Any, error: AirisError, request_id: str) -> None:
    status = rpc_status.to_status(failures.rpc_status(error))
    await context.abort(status.code, status.details, (*status.trailing_metadata, ("x-request-id", request_id)))
