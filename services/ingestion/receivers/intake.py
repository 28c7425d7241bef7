"""What happens to an unpacked request, whichever protocol brought it: decoded, judged, put on the bus."""

import asyncio
import itertools
import re
import secrets

from libs.common.auth.api_keys import ApiKey
from libs.common.clock import Clock
from libs.common.errors import PayloadTooLarge
from services.ingestion.metrics import ReceiverMetrics
from services.ingestion.otlp import ExportService
from services.ingestion.receivers.outbox import Outbox
from services.ingestion.receivers.protocol import CLEAN, Decoded, Format, Outcome
from services.ingestion.receivers.validation import Limits, validate
from services.ingestion.signals import SIGNALS

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class RequestIds:
    """Ids by which a request is found in logs and on the bus: the sender's own when well-formed, else a new one.

    New ones count up from a random `start`, 128 bits in hex: as unique as random ones, at a fifth of the cost.
    """

    def __init__(self, start: int | None = None) -> None:
        self._numbers = itertools.count(secrets.randbits(127) if start is None else start)

    def of(self, presented: str) -> str:
        """`presented` or a new id."""
        return presented if presented and _REQUEST_ID.fullmatch(presented) else f"{next(self._numbers):032x}"


class Intake:
    """The way from an unpacked body to the bus."""

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

    async def accept(
        self, service: ExportService, spoken: Format, content: bytes, key: ApiKey, request_id: str
    ) -> Outcome:
        """Return when every record that can be kept is durable on the bus.

        Raises MalformedTelemetry, PayloadTooLarge, BusUnavailable. After BusUnavailable a part of a request large enough
        to be cut may be on the bus; the sender's retry brings it again, as at-least-once allows.
        """
        signal = service.signal
        decoded = await self._decode(service, spoken, content)
        now_ns = self._clock.now_ns()
        if len(decoded.body) <= self._limits.max_message_bytes:
            verdict = validate(service, decoded.body, self._limits, now_ns, normal=decoded.normal)
        else:
            async with self._heavy:
                verdict = await asyncio.to_thread(validate, service, decoded.body, self._limits, now_ns)
        if decoded.unreadable:
            verdict.reject("unreadable", decoded.unreadable)
            verdict.fault = decoded.fault
        if decoded.legacy:
            verdict.reject("legacy_scope", decoded.legacy)
        if decoded.untaken:
            verdict.untaken = decoded.untaken
        for payload, records in verdict.payloads:
            await self._outbox.put(signal.topic, key, payload, records, now_ns, request_id)
            self._records[signal.name].inc(records)
        self._bytes[signal.name].inc(len(decoded.body))
        if not verdict.rejected and not verdict.odd_times and not verdict.untaken:
            return CLEAN
        for reason, records in verdict.rejected.items():
            self._metrics.rejected.labels(signal.name, reason).inc(records)
        self._metrics.odd_times.labels(signal.name).inc(verdict.odd_times)
        return Outcome(verdict.rejected_records, verdict.message(service, self._limits))

    async def _decode(self, service: ExportService, spoken: Format, content: bytes) -> Decoded:
        """Raises MalformedTelemetry, PayloadTooLarge."""
        if len(content) <= spoken.inline_bytes:
            return spoken.decode(service, content)
        if len(content) > spoken.max_bytes:
            raise PayloadTooLarge(
                f"{spoken.media_type} may have {spoken.max_bytes} bytes unpacked; send fewer records at once, or protobuf."
            )
        async with self._heavy:
            return await asyncio.to_thread(spoken.decode, service, content)
