"""Sends to Kafka: idempotent, confirmed by all in-sync replicas.

aiokafka retries for ever under the same sequence number, so no record is lost or doubled while brokers come and go. But a
batch that it does give up leaves a hole in the partition's sequence, and brokers then refuse everything after it; so a
client that has failed once is replaced by a new one, with a new producer id.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import RecordMetadata

from libs.common.bus.in_flight import InFlightBytes
from libs.common.bus.kafka.connection import client_options, stop, unavailable_when_away
from libs.common.bus.partitioning import Partitioner
from libs.common.bus.producer import MAX_HEADER_BYTES
from libs.common.bus.protocol import Headers, TopicPartitionOffset
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable, RecordTooLarge
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

# aiokafka has one batch per partition and request; five 200 KB payloads.
_BATCH_BYTES = 1024**2
_RECORD_OVERHEAD_BYTES = 1024


@dataclass(eq=False)
class _Client:
    kafka: AIOKafkaProducer
    unconfirmed: set[asyncio.Future[RecordMetadata]] = field(default_factory=set)


class KafkaProducer:
    """ProducerTransport on Kafka. Use `open_kafka_producer`."""

    def __init__(self, settings: BusSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._partitioner = Partitioner()
        self.in_flight = InFlightBytes(settings.max_in_flight_bytes)
        self._client: _Client | None = None
        self._connecting: asyncio.Task[_Client] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers, partition: int | None
    ) -> TopicPartitionOffset:
        """See ProducerTransport."""
        size = len(value) + len(key or b"") + sum(len(name) + len(content) for name, content in headers)
        await self.in_flight.acquire(size)
        try:
            client = await self._connected()
            written = await self._hand_over(client, topic, value, key, headers, partition)
        except BaseException:
            self.in_flight.release(size)
            raise
        client.unconfirmed.add(written)

        def confirmed(future: asyncio.Future[RecordMetadata]) -> None:
            client.unconfirmed.discard(future)
            self.in_flight.release(size)
            if not future.cancelled():
                future.exception()  # its sender may have left; then nobody else looks at it

        written.add_done_callback(confirmed)
        try:
            where = await asyncio.shield(written)
        except KafkaError as error:
            self._retire(client, error)
            raise _as_ours(error) from error
        return TopicPartitionOffset(where.topic, where.partition, where.offset)

    async def check(self) -> None:
        """See ProducerTransport."""
        client = await self._connected()
        with unavailable_when_away():
            async with asyncio.timeout(self._settings.timeout_seconds):
                await client.kafka.client.fetch_all_metadata()

    async def close(self) -> None:
        """Wait for what is in flight, at most the settings' timeout."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._client is not None:
            await self._stop(self._client)
        if self._retiring:
            await asyncio.wait(self._retiring)

    async def _hand_over(
        self,
        client: _Client,
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: Headers,
        partition: int | None,
    ) -> asyncio.Future[RecordMetadata]:
        try:
            if partition is not None and partition not in await client.kafka.partitions_for(topic):
                raise ValueError(f"{topic} has no partition {partition}")
            written: asyncio.Future[RecordMetadata] = await client.kafka.send(
                topic,
                value,
                key=key,
                partition=partition,
                timestamp_ms=self._clock.now_ns() // 1_000_000,
                headers=list(headers),
            )
        except KafkaError as error:
            # These come before the record has a sequence number, so the client is as good as before.
            if not isinstance(error, (KafkaTimeoutError, MessageSizeTooLargeError, UnknownTopicOrPartitionError)):
                self._retire(client, error)
            raise _as_ours(error) from error
        return written

    async def _connected(self) -> _Client:
        if self._closed:
            raise BusUnavailable("This process is stopping.")
        if self._client is not None:
            return self._client
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect(), name="kafka-producer-connect")
        # Shielded, because everybody who sends waits for the same connection.
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> _Client:
        kafka = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            compression_type=None if self._settings.compression == "none" else self._settings.compression,
            max_batch_size=_BATCH_BYTES,
            max_request_size=self._settings.max_record_bytes + MAX_HEADER_BYTES + _RECORD_OVERHEAD_BYTES,
            partitioner=self._choose,
        )
        client = _Client(kafka)
        try:
            with unavailable_when_away():
                async with asyncio.timeout(self._settings.timeout_seconds):
                    await kafka.start()
        except BaseException:
            await self._stop(client)
            raise
        self._client = client
        return client

    def _choose(self, key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
        return self._partitioner(key, partitions, available)

    def _retire(self, client: _Client, error: KafkaError) -> None:
        if self._client is not client:
            return
        log.warning("bus_producer_replaced", transport="kafka", error=repr(error))
        self._client = None
        task = asyncio.create_task(self._stop(client), name="kafka-producer-retire")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _stop(self, client: _Client) -> None:
        await stop(client.kafka, self._settings.timeout_seconds)
        for written in list(client.unconfirmed):  # nobody will ever confirm these; their bytes are free again
            written.cancel()


def _as_ours(error: KafkaError) -> BusUnavailable | RecordTooLarge:
    if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
        return RecordTooLarge("The record is larger than its topic takes. Send smaller batches.")
    if isinstance(error, UnknownTopicOrPartitionError):
        return BusUnavailable(
            "The event bus has no such topic; run the migration, which declares topics.", retry_after=5
        )
    return BusUnavailable("The event bus did not take the record. Retry later.")


@asynccontextmanager
async def open_kafka_producer(settings: BusSettings, clock: Clock) -> AsyncIterator[KafkaProducer]:
    """A producer that connects with its first send."""
    producer = KafkaProducer(settings, clock)
    try:
        yield producer
    finally:
        await producer.close()
