"""What every transport's producer has in common: limits, timeout, trace context, metrics."""

import asyncio
from typing import Protocol

from libs.common.bus.in_flight import InFlightBytes
from libs.common.bus.metrics import BusMetrics
from libs.common.bus.protocol import Headers, TopicPartitionOffset
from libs.common.clock import Clock
from libs.common.errors import AirisError, BusUnavailable, RecordTooLarge
from libs.common.settings import BusSettings
from libs.common.tracing import inject_bus_headers

# Key and headers together. Topics on Kafka are made with this much room above the value's limit.
MAX_HEADER_BYTES = 64 * 1024


class ProducerTransport(Protocol):
    """A way to send. It holds `in_flight` bytes until the outcome of a record is known, even if its sender left."""

    @property
    def in_flight(self) -> InFlightBytes: ...

    async def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers, partition: int | None
    ) -> TopicPartitionOffset: ...

    async def check(self) -> None: ...


class BusProducer:
    """The Producer that `open_producer` gives out."""

    def __init__(
        self,
        transport: ProducerTransport,
        settings: BusSettings,
        clock: Clock,
        metrics: BusMetrics,
        *,
        untraced: frozenset[str],
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._untraced = untraced
        metrics.in_flight.set_function(lambda: transport.in_flight.used)

    async def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> TopicPartitionOffset:
        """See Producer."""
        started = self._clock.monotonic()
        if topic not in self._untraced:
            headers = inject_bus_headers(headers)
        try:
            self._check_size(value, key, headers)
            async with asyncio.timeout(self._settings.timeout_seconds):
                where = await self._transport.send(topic, value, key=key, headers=headers, partition=partition)
        except TimeoutError:
            self._metrics.send_errors.labels(topic=topic, error=BusUnavailable.id).inc()
            raise BusUnavailable("The event bus did not confirm in time. Retry later.") from None
        except AirisError as error:
            self._metrics.send_errors.labels(topic=topic, error=error.id).inc()
            raise
        self._metrics.send_duration.labels(topic=topic).observe(self._clock.monotonic() - started)
        self._metrics.sent_records.labels(topic=topic).inc()
        self._metrics.sent_bytes.labels(topic=topic).inc(len(value))
        return where

    async def check(self) -> None:
        """See Producer."""
        await self._transport.check()

    def _check_size(self, value: bytes, key: bytes | None, headers: Headers) -> None:
        if len(value) > self._settings.max_record_bytes:
            raise RecordTooLarge(
                f"The record has {len(value)} bytes; at most {self._settings.max_record_bytes} fit. Send smaller batches."
            )
        size = len(key or b"") + sum(len(name.encode()) + len(content) for name, content in headers)
        if size > MAX_HEADER_BYTES:
            raise RecordTooLarge(f"Key and headers have {size} bytes; at most {MAX_HEADER_BYTES} fit.")
