"""What happens to an unpacked request, whichever protocol brought it: judged, put on the bus, answered."""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple

from libs.common.auth.api_keys import ApiKey
from libs.common.bus.protocol import Producer
from libs.common.clock import Clock
from libs.common.errors import PayloadTooLarge
from libs.common.web.middleware import new_request_id
from services.ingestion.metrics import ReceiverMetrics
from services.ingestion.otlp import ExportService
from services.ingestion.otlp_json import to_protobuf
from services.ingestion.signals import (
    KEY_ID_HEADER,
    RECEIVED_AT_HEADER,
    RECORDS_HEADER,
    REQUEST_ID_HEADER,
    SIGNALS,
    TENANT_HEADER,
)
from services.ingestion.validation import Limits, validate

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# Converted in the event loop: some 5 ms. More goes to a thread, so that others get their turn.
_LIGHT_JSON_BYTES = 256 * 1024
# Python objects made of JSON take up to 45 times its size, hence less than what protobuf may have.
MAX_JSON_BYTES = 16 * 1024**2


class RequestIds:
    """Ids by which a request is found in logs and on the bus: the sender's own when well-formed, else a new one."""

    def __init__(self, new: Callable[[], str] = new_request_id) -> None:
        self._new = new

    def of(self, presented: str) -> str:
        return presented if presented and _REQUEST_ID.fullmatch(presented) else self._new()


class Outcome(NamedTuple):
    """The answer to an accepted request: records refused, and a message about them or about what looks wrong."""

    rejected: int
    message: str


CLEAN = Outcome(0, "")


class Intake:
    """The way from a request to the bus."""

    def __init__(self, producer: Producer, limits: Limits, clock: Clock, metrics: ReceiverMetrics) -> None:
        self._producer = producer
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        # Finding a labelled child costs more than counting.
        self._records = {signal.name: metrics.records.labels(signal.name) for signal in SIGNALS}
        self._bytes = {signal.name: metrics.bytes.labels(signal.name) for signal in SIGNALS}
        # One at a time: what a hostile body makes a parser allocate is many times the body.
        self._heavy = asyncio.Semaphore(1)

    async def from_json(self, service: ExportService, body: bytes) -> bytes:
        """An OTLP/JSON request as protobuf. Raises MalformedTelemetry, PayloadTooLarge."""
        if len(body) <= _LIGHT_JSON_BYTES:
            return to_protobuf(service, body)
        if len(body) > MAX_JSON_BYTES:
            raise PayloadTooLarge(
                f"JSON may have {MAX_JSON_BYTES} bytes unpacked; send fewer records at once, or protobuf."
            )
        async with self._heavy:
            return await asyncio.to_thread(to_protobuf, service, body)

    async def accept(self, service: ExportService, body: bytes, key: ApiKey, request_id: str) -> Outcome:
        """Return when every record that can be kept is durable on the bus.

        Raises MalformedTelemetry, PayloadTooLarge, BusUnavailable. After BusUnavailable a part of a request large enough
        to be cut may be on the bus; the sender's retry brings it again, as at-least-once allows.
        """
        signal = service.signal
        now_ns = self._clock.now_ns()
        if len(body) <= self._limits.max_message_bytes:
            verdict = validate(service, body, self._limits, now_ns)
        else:
            async with self._heavy:
                verdict = await asyncio.to_thread(validate, service, body, self._limits, now_ns)
        for payload, records in verdict.payloads:
            headers = (
                (TENANT_HEADER, key.tenant.encode()),
                (RECEIVED_AT_HEADER, b"%d" % now_ns),
                (RECORDS_HEADER, b"%d" % records),
                (KEY_ID_HEADER, key.key_id.encode()),
                (REQUEST_ID_HEADER, request_id.encode()),
            )
            await self._producer.send(signal.topic, payload, headers=headers)
            self._records[signal.name].inc(records)
        self._bytes[signal.name].inc(len(body))
        if not verdict.rejected and not verdict.odd_times:
            return CLEAN
        for reason, records in verdict.rejected.items():
            self._metrics.rejected.labels(signal.name, reason).inc(records)
        self._metrics.odd_times.labels(signal.name).inc(verdict.odd_times)
        return Outcome(verdict.rejected_records, verdict.message(service, self._limits))
