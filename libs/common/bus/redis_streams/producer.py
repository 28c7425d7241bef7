"""Sends to Redis Streams: whatever waits goes in one round trip, because Redis syncs its log once per round.

One batch of a partition is under way at a time, numbered. Redis remembers the last number of each sender, so a batch whose
answer was lost is sent again as it was and written once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import structlog
from redis.exceptions import NoScriptError, RedisError, ResponseError

from libs.common.bus.in_flight import InFlightBytes
from libs.common.bus.partitioning import Partitioner
from libs.common.bus.protocol import Headers, TopicPartition, TopicPartitionOffset
from libs.common.bus.redis_streams.codec import pack
from libs.common.bus.redis_streams.connection import (
    TRANSIENT,
    RedisBus,
    is_transient_reply,
    script,
    topic_key,
    unavailable,
    unavailable_when_away,
)
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

# A script holds up everybody else on this Redis while it runs; 4 MiB are about 5 ms.
_BATCH_BYTES = 4 * 1024**2
_BATCH_RECORDS = 1024
_ROUND_BYTES = 16 * 1024**2
# Longer than any retry: how long Redis remembers a sender that has stopped.
_SENDER_TTL_MS = 3_600_000
_TOPIC_SECONDS = 30.0
_BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


@dataclass(slots=True, eq=False)
class _Waiting:
    m: bytes
    v: bytes
    size: int
    offset: asyncio.Future[int]


@dataclass(slots=True, eq=False)
class _Batch:
    target: TopicPartition
    sequence: int
    records: list[_Waiting]

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for the answer."""
        return any(not record.offset.done() for record in self.records)


class RedisProducer:
    """Producer on Redis Streams. Use `open_redis_producer`."""

    def __init__(self, bus: RedisBus, settings: BusSettings, clock: Clock) -> None:
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._partitioner = Partitioner()
        self.in_flight = InFlightBytes(settings.max_in_flight_bytes)
        self._sender = uuid4().hex
        self._sequence = 0
        self._queues: dict[TopicPartition, deque[_Waiting]] = {}
        self._work = asyncio.Event()
        self._closing = False
        self._partitions: dict[str, int] = {}
        self._asking = asyncio.Lock()

    async def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers, partition: int | None
    ) -> TopicPartitionOffset:
        if self._closing:
            raise BusUnavailable("This process is stopping.")
        count = await self._partition_count(topic)
        if partition is None:
            numbers = range(count)
            partition = self._partitioner(key, numbers, numbers)
        elif not 0 <= partition < count:
            raise ValueError(f"{topic} has no partition {partition}")
        # Always by lz4: a quarter of the memory and of the bytes to fsync, which costs Redis more than compressing costs us.
        compress = self._settings.compression != "none"
        m, v = pack(key, value, headers, self._clock.now_ns() // 1_000_000, compress=compress)
        size = len(m) + len(v)
        await self.in_flight.acquire(size)
        record = _Waiting(m, v, size, asyncio.get_running_loop().create_future())
        self._queues.setdefault(TopicPartition(topic, partition), deque()).append(record)
        self._work.set()
        return TopicPartitionOffset(topic, partition, await record.offset)

    async def check(self) -> None:
        if self._closing:
            raise BusUnavailable("This process is stopping.")
        await self._bus.check()

    async def _partition_count(self, topic: str) -> int:
        if topic not in self._partitions:
            async with self._asking:  # in the order of the calls, and only the first one asks
                if topic not in self._partitions:
                    await self._ask_partitions(topic)
        return self._partitions[topic]

    async def _ask_partitions(self, topic: str) -> None:
        await self._bus.check()  # nothing is sent to a Redis that would lose it
        with unavailable_when_away():
            count = int(await self._bus.client.hget(topic_key(topic), "partitions") or 0)
        if count == 0:
            raise BusUnavailable(f"The event bus has no topic {topic}; run the migration, which declares topics.")
        self._partitions[topic] = count

    async def watch_partitions(self) -> None:
        """Notice partitions that are added later. Apart from `send`, which would lose its order by waiting for this."""
        while True:
            await self._clock.sleep(_TOPIC_SECONDS)
            for topic in list(self._partitions):
                with suppress(BusUnavailable):
                    await self._ask_partitions(topic)

    async def run(self) -> None:
        """Send what waits, until `drain` is called and nothing waits. The owner awaits it."""
        try:
            while not (self._closing and not self._queues):
                await self._work.wait()
                self._work.clear()
                while batches := self._next_round():
                    await self._deliver(batches)
        finally:
            self._closing = True  # nobody would send what is queued from here on

    def drain(self) -> None:
        """Take no more; let `run` end when the rest is sent."""
        self._closing = True
        self._work.set()

    def _next_round(self) -> list[_Batch]:
        batches: list[_Batch] = []
        total = 0
        for target in list(self._queues):
            if total >= _ROUND_BYTES:
                break
            queue = self._queues.pop(target)
            records: list[_Waiting] = []
            size = 0
            while queue and len(records) < _BATCH_RECORDS and (not records or size + queue[0].size <= _BATCH_BYTES):
                record = queue.popleft()
                if record.offset.done():  # its sender gave up before it was ever sent
                    self.in_flight.release(record.size)
                    continue
                records.append(record)
                size += record.size
            if queue:
                self._queues[target] = queue  # to the end: every partition gets its turn
            if records:
                self._sequence += 1
                batches.append(_Batch(target, self._sequence, records))
                total += size
        return batches

    async def _deliver(self, batches: list[_Batch]) -> None:
        """Until each batch is written, refused, or given up by all who wait for it."""
        attempt = 0
        while batches:
            answers = await self._attempt(batches)
            again = []
            for batch in batches:
                answer = answers.get(batch.sequence)
                if isinstance(answer, int):
                    for index, record in enumerate(batch.records):
                        self._settle(record, answer + index)
                elif isinstance(answer, BusUnavailable):
                    for record in batch.records:
                        self._settle(record, answer)
                elif batch.wanted:
                    again.append(batch)
                else:
                    for record in batch.records:
                        self.in_flight.release(record.size)
            batches = again
            if batches:
                await self._clock.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
                attempt += 1

    async def _attempt(self, batches: list[_Batch]) -> Mapping[int, int | BusUnavailable]:
        """By sequence: the first offset, or why it is refused. A batch with an unknown outcome is left out."""
        append = script("append")
        pipeline = self._bus.client.pipeline(transaction=False)
        for batch in batches:
            arguments: list[bytes | str | int] = [
                batch.target.partition,
                self._sender,
                batch.sequence,
                self._settings.max_backlog_bytes,
                _SENDER_TTL_MS,
            ]
            for record in batch.records:
                arguments += (record.m, record.v)
            pipeline.execute_command(*append.command(batch.target.topic, arguments))
        try:
            # A third, so that a connection that went silent is replaced while the senders still wait.
            async with asyncio.timeout(self._settings.timeout_seconds / 3):
                replies = await pipeline.execute(raise_on_error=False)
                if any(isinstance(reply, NoScriptError) for reply in replies):
                    await self._bus.client.script_load(append.source)
        except (*TRANSIENT, RedisError) as error:
            log.warning("bus_away", transport="redis", error=repr(error), batches=len(batches))
            return {}
        answers: dict[int, int | BusUnavailable] = {}
        for batch, reply in zip(batches, replies, strict=True):
            if isinstance(reply, int):
                answers[batch.sequence] = reply
            elif (
                isinstance(reply, ResponseError)
                and not isinstance(reply, NoScriptError)
                and not is_transient_reply(reply)
            ):
                answers[batch.sequence] = unavailable(reply)
        return answers

    def _settle(self, record: _Waiting, outcome: int | BusUnavailable) -> None:
        self.in_flight.release(record.size)
        if record.offset.done():
            return
        if isinstance(outcome, int):
            record.offset.set_result(outcome)
        else:
            record.offset.set_exception(BusUnavailable(outcome.detail, retry_after=outcome.retry_after))


@asynccontextmanager
async def open_redis_producer(bus: RedisBus, settings: BusSettings, clock: Clock) -> AsyncIterator[RedisProducer]:
    """A running producer. Leaving sends what waits, for at most the settings' timeout."""
    producer = RedisProducer(bus, settings, clock)
    running = asyncio.create_task(producer.run(), name="redis-producer")
    watching = asyncio.create_task(producer.watch_partitions(), name="redis-producer-partitions")
    try:
        yield producer
    finally:
        producer.drain()
        await asyncio.wait([running], timeout=settings.timeout_seconds)
        for task in (running, watching):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
