"""What happens to an unpacked request, whichever protocol brought it: judged, put on the bus, answered."""

import asyncio
import itertools
import re
import secrets
from typing import NamedTuple

from libs.common.auth.api_keys import ApiKey
from libs.common.clock import Clock
from libs.common.errors import PayloadTooLarge
from services.ingestion.metrics import ReceiverMetrics
from services.ingestion.otlp import ExportService
from services.ingestion.otlp_json import Converted, to_protobuf
from services.ingestion.outbox import Outbox
from services.ingestion.signals import SIGNALS
from services.ingestion.validation import Limits, validate

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# Converted in the event loop: some 5 ms. More goes to a thread, so that others get their turn.
_LIGHT_JSON_BYTES = 256 * 1024
# Python objects made of JSON take up to 45 times its size, hence less than what protobuf may have.
MAX_JSON_BYTES = 16 * 1024**2


class RequestIds:
    """Ids by which a request is found in logs and on the bus: the sender's own when well-formed, else a new one.

    New ones count up from a random `start`, 128 bits in hex: as unique as random ones, at a fifth of the cost.
    """

    def __init__(self, start: int | None = None) -> None:
        self._numbers = itertools.count(secrets.randbits(127) if start is None else start)

    def of(self, presented: str) -> str:
        """`presented` or a new id."""
        return presented if presented and _REQUEST_ID.fullmatch(presented) else f"{next(self._numbers):032x}"


class Outcome(NamedTuple):
    """The answer to an accepted request: records refused, and a message about them or about what looks wrong."""

    rejected: int
    message: str


CLEAN = Outcome(0, "")


class Intake:
    """The way from a request to the bus."""

    def __init__(self, outbox: Outbox, limits: Limits, clock: Clock, metrics: ReceiverMetrics) -> None:
        self._outbox = outbox
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        # Finding a labelled child costs more than counting.
        self._records = {signal.name: metrics.records.labels(signal.name) for signal in SIGNALS}
        self._bytes = {signal.name: metrics.bytes.labels(signal.name) for signal in SIGNALS}
        # One at a time: what a hostile body makes a parser allocate is many times the body.
        self._heavy = asyncio.Semaphore(1)

    async def accept_json(self, service: ExportService, body: bytes, key: ApiKey, request_id: str) -> Outcome:
        """As `accept`, for an OTLP/JSON request."""
        converted = await self._from_json(service, body)
        return await self.accept(
            service, converted.body, key, request_id, unreadable=converted.unreadable, fault=converted.fault
        )

    async def _from_json(self, service: ExportService, body: bytes) -> Converted:
        """Raises MalformedTelemetry, PayloadTooLarge."""
        if len(body) <= _LIGHT_JSON_BYTES:
            return to_protobuf(service, body)
        if len(body) > MAX_JSON_BYTES:
            raise PayloadTooLarge(
                f"JSON may have {MAX_JSON_BYTES} bytes unpacked; send fewer records at once, or protobuf."
            )
        async with self._heavy:
            return await asyncio.to_thread(to_protobuf, service, body)

    async def accept(
        self,
        service: ExportService,
        body: bytes,
        key: ApiKey,
        request_id: str,
        *,
        unreadable: int = 0,
        fault: str = "",
    ) -> Outcome:
        """Return when every record that can be kept is durable on the bus. `unreadable` ones were left out of `body` already.

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
        if unreadable:
            verdict.reject("unreadable", unreadable)
            verdict.fault = fault
        for payload, records in verdict.payloads:
            await self._outbox.put(signal.topic, key, payload, records, now_ns, request_id)
            self._records[signal.name].inc(records)
        self._bytes[signal.name].inc(len(body))
        if not verdict.rejected and not verdict.odd_times:
            return CLEAN
        for reason, records in verdict.rejected.items():
            self._metrics.rejected.labels(signal.name, reason).inc(records)
        self._metrics.odd_times.labels(signal.name).inc(verdict.odd_times)
        return Outcome(verdict.rejected_records, verdict.message(service, self._limits))
