"""OTLP over gRPC. Messages are taken as the bytes they are; no generated service, no second parse.

Source: OTLP 1.x, "OTLP/gRPC"; errors carry google.rpc.Status in `grpc-status-details-bin`, so RetryInfo reaches the sender.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from libs.common.clock import Clock
from libs.common.errors import AirisError, ClientClosedRequest, InternalError, InvalidRequest, RequestTimeout
from libs.common.web.server import StartFailed
from services.ingestion import answers
from services.ingestion.admission import Admission
from services.ingestion.intake import Intake, RequestIds
from services.ingestion.metrics import ReceiverMetrics, RequestBook
from services.ingestion.otlp import EXPORT_SERVICES, ExportService
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
    settings: ReceiverSettings,
    admission: Admission,
    intake: Intake,
    metrics: ReceiverMetrics,
    clock: Clock,
    request_ids: RequestIds,
) -> AsyncIterator[int]:
    """Take exports until left, then finish those that were begun. Yields the port. Raises StartFailed."""
    exports = _Exports(settings, admission, intake, metrics, clock, request_ids)
    server = grpc.aio.server(options=(*_OPTIONS, ("grpc.max_receive_message_length", settings.max_unpacked_bytes)))
    server.add_generic_rpc_handlers((exports,))
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


class _Exports(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The three export methods.

    They are declared as client streams, which are the same on the wire: a handler of a unary call is started after its
    message was read, and this one wants to know who sends before it takes 64 MiB from them.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        admission: Admission,
        intake: Intake,
        metrics: ReceiverMetrics,
        clock: Clock,
        request_ids: RequestIds,
    ) -> None:
        self._body_timeout = settings.body_timeout_seconds
        self._admission = admission
        self._intake = intake
        self._book = RequestBook(metrics, "grpc", [service.signal.name for service in EXPORT_SERVICES])
        self._clock = clock
        self._request_ids = request_ids
        self._handlers = {
            service.method: grpc.stream_unary_rpc_method_handler(self._export(service)) for service in EXPORT_SERVICES
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)

    def _export(self, service: ExportService) -> Export:
        async def export(_messages: Any, context: Any) -> bytes:
            started = self._clock.monotonic()
            outcome = "ok"
            request_id = ""
            try:
                metadata = dict(context.invocation_metadata())
                request_id = self._request_ids.of(metadata.get("x-request-id", ""))
                return await self._answer(service, context, metadata, request_id)
            except AirisError as error:
                outcome = error.id
                await self._abort(context, error, request_id)
            except grpc.aio.AbortError:
                raise
            except Exception:
                log.exception("export failed", method=service.method, request_id=request_id)
                outcome = InternalError.id
                await self._abort(
                    context, InternalError("An unexpected error occurred. It has been logged."), request_id
                )
            except asyncio.CancelledError:
                outcome = ClientClosedRequest.id
                raise
            finally:
                self._book.book(service.signal.name, outcome, self._clock.monotonic() - started)
            return b""

        return export

    async def _answer(self, service: ExportService, context: Any, metadata: dict[str, Any], request_id: str) -> bytes:
        key = await self._admission.admit(metadata.get("authorization"))
        with self._admission.in_flight.hold() as hold:
            hold.grow(_EXPECTED_BYTES)  # a full process refuses before it reads
            try:
                async with asyncio.timeout(self._body_timeout):
                    body = await context.read()
            except TimeoutError:
                raise RequestTimeout(f"The message did not arrive within {self._body_timeout:g} seconds.") from None
            if body is grpc.aio.EOF:
                # The library has refused the message as too large already, or there was none.
                raise InvalidRequest("An export is one message; none arrived.")
            hold.grow(max(0, len(body) - _EXPECTED_BYTES))
            self._admission.charge(key, len(body))
            return answers.success_protobuf(service, await self._intake.accept(service, body, key, request_id))

    @staticmethod
    async def _abort(context: Any, error: AirisError, request_id: str) -> None:
        status = rpc_status.to_status(answers.rpc_status(error))
        await context.abort(status.code, status.details, (*status.trailing_metadata, ("x-request-id", request_id)))
