"""The one way of every request, whatever protocol and transport brought it: admitted, read, unpacked, charged, decoded,
judged, put on the bus, answered, booked.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from libs.common.clock import Clock
from libs.common.errors import (
    AirisError,
    ClientClosedRequest,
    InternalError,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from services.ingestion.metrics import ReceiverMetrics, RequestBook
from services.ingestion.receivers.admission import Admission, Hold
from services.ingestion.receivers.decompression import CODINGS, unpack
from services.ingestion.receivers.intake import Intake
from services.ingestion.receivers.protocol import Endpoint
from services.ingestion.settings import ReceiverSettings

log = structlog.get_logger(__name__)


class Body(Protocol):
    """A request's body as it arrives, whole or in chunks."""

    @property
    def unread(self) -> bool:
        """More may come."""
        ...

    async def next(self) -> bytes:
        """The next chunk. Raises ClientClosedRequest when the sender left before the end: what came is not the body."""
        ...


@dataclass(slots=True)
class Request:
    """A request whose head has arrived. `media_type` is one of the endpoint's formats, or is refused.

    `expected_bytes` of the body are reserved before any is read; `max_bytes` is the most it may have as sent.
    """

    endpoint: Endpoint
    media_type: str
    authorization: bytes | str | None
    coding: str
    request_id: str
    body: Body
    expected_bytes: int
    max_bytes: int


class Reception:
    """Takes requests of all protocols of one transport."""

    def __init__(
        self,
        admission: Admission,
        intake: Intake,
        settings: ReceiverSettings,
        metrics: ReceiverMetrics,
        clock: Clock,
        *,
        transport: str,
        endpoints: Sequence[Endpoint],
    ) -> None:
        self._admission = admission
        self._intake = intake
        self._max_unpacked_bytes = settings.max_unpacked_bytes
        self._body_timeout = settings.body_timeout_seconds
        self._book = RequestBook(
            metrics, transport, list(dict.fromkeys(endpoint.service.signal.name for endpoint in endpoints))
        )
        self._clock = clock

    async def take(self, request: Request) -> bytes:
        """The content of a successful answer, once all that is kept is durable on the bus. Raises AirisError."""
        started = self._clock.monotonic()
        outcome = "ok"
        try:
            return await self._take(request)
        except AirisError as error:
            outcome = error.id
            raise
        except asyncio.CancelledError:
            outcome = ClientClosedRequest.id
            raise
        except Exception as error:
            log.exception("export failed", path=request.endpoint.path, request_id=request.request_id)
            outcome = InternalError.id
            raise InternalError("An unexpected error occurred. It has been logged under the request id.") from error
        finally:
            self._book.book(request.endpoint.service.signal.name, outcome, self._clock.monotonic() - started)

    def refuse(self, request: Request, error: AirisError) -> AirisError:
        """Book a request that its transport refuses; the error, to be raised."""
        self._book.book(request.endpoint.service.signal.name, error.id, 0.0)
        return error

    async def _take(self, request: Request) -> bytes:
        spoken = request.endpoint.formats.get(request.media_type)
        if spoken is None:
            known = " or ".join(name for name in request.endpoint.formats if "/" in name)
            raise UnsupportedMediaType(f"Content-Type must be {known}.")
        if request.coding not in _CODINGS:
            raise UnsupportedMediaType(f"Content-Encoding must be one of {', '.join(CODINGS)}.")
        key = await self._admission.admit(request.authorization)
        with self._admission.in_flight.hold() as hold:
            content = await self._read(request, hold)
            if request.coding != "identity":
                content = await unpack(content, request.coding, self._max_unpacked_bytes, hold.grow)
            self._admission.charge(key, len(content))
            outcome = await self._intake.accept(request.endpoint.service, spoken, content, key, request.request_id)
            return spoken.success(request.endpoint.service, outcome)

    async def _read(self, request: Request, hold: Hold) -> bytes:
        """The body, whole. Raises PayloadTooLarge, RequestTimeout, ClientClosedRequest, ReceiverOverloaded."""
        limit = request.max_bytes
        reserved = request.expected_bytes
        if reserved > limit:
            raise _too_large(limit)
        hold.grow(reserved)  # a full process refuses before it reads
        body = request.body
        try:
            async with asyncio.timeout(self._body_timeout):
                chunks = [await body.next()]
                size = len(chunks[0])
                while True:
                    if size > limit:
                        raise _too_large(limit)
                    if size > reserved:
                        hold.grow(size - reserved)
                        reserved = size
                    if not body.unread:
                        break
                    chunks.append(await body.next())
                    size += len(chunks[-1])
        except TimeoutError:
            raise RequestTimeout(f"The body did not arrive within {self._body_timeout:g} seconds.") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


_CODINGS = frozenset({*CODINGS, "x-gzip"})


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")
