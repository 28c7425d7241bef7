"""From topics to tables, exactly once.

One lane per partition cuts the partition's records into batches. For each batch, in this order:

1. commit where the batch starts, with where it ends as metadata (the intent);
2. insert it under a token made of its offset range;
3. commit where the next one starts (with the next intent, when there already is one).

A writer that dies anywhere between is followed by one that finds the intent, reads the same records, and inserts them under the
same token: the store drops what it already has, tables and materialised views each for themselves. A writer that lost its
partition cannot commit a further intent (CommitFenced), so it cannot start another batch.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

import structlog

from libs.common.bus.protocol import Consumer, Position, Record, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable, CommitFenced
from services.ingestion.batch import Batch, intended_last
from services.ingestion.metrics import WriterMetrics
from services.ingestion.settings import WriterSettings
from services.ingestion.signals import BY_TOPIC
from services.ingestion.storing import BatchStore

log = structlog.get_logger(__name__)


class Lane:
    """One partition, from the moment it is assigned to the moment it is revoked."""

    def __init__(
        self,
        partition: TopicPartition,
        consumer: Consumer,
        store: BatchStore,
        settings: WriterSettings,
        clock: Clock,
        metrics: WriterMetrics,
    ) -> None:
        self._partition = partition
        self._signal = BY_TOPIC[partition.topic]
        self._consumer = consumer
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._oldest = 0.0
        self._changed = asyncio.Event()
        self._draining = False
        self._recover_to: int | None = None

    async def start(self) -> None:
        """Read what was committed; raises BusUnavailable."""
        position = await self._consumer.committed(self._partition)
        self._recover_to = intended_last(position)
        if position is not None:
            await self._consumer.seek(self._partition, position.offset)
        if self._recover_to is not None:
            log.info(
                "finishing an intended batch",
                topic=self._partition.topic,
                partition=self._partition.partition,
                last=self._recover_to,
            )

    def offer(self, records: Iterable[Record]) -> None:
        """Take records read from the bus. The caller stops reading while `full`."""
        for record in records:
            if not self._records:
                self._oldest = self._clock.monotonic()
            self._records.append(record)
            self._bytes += len(record.value)
        self._changed.set()

    @property
    def full(self) -> bool:
        return self._bytes >= 2 * self._settings.batch_bytes

    def gap(self, found: int) -> None:
        """The bus no longer has what was intended, when its oldest record is past it."""
        if self._recover_to is not None and found > self._recover_to:
            self._recover_to = None

    def drain(self) -> None:
        """Write what is here, then end."""
        self._draining = True
        self._changed.set()

    async def run(self) -> None:
        """Until drained, cancelled (revoked) or fenced."""
        try:
            while (batch := await self._next()) is not None:
                await self._write(batch)
        except CommitFenced:
            # Not an error: the partition has a new owner, which starts from the same intent.
            log.info("partition has a new owner", topic=self._partition.topic, partition=self._partition.partition)

    async def _next(self) -> Batch | None:
        while True:
            self._changed.clear()
            if self._recover_to is not None:
                if self._records and self._records[-1].offset >= self._recover_to:
                    intended = [record for record in self._records if record.offset <= self._recover_to]
                    if intended:
                        return self._take(len(intended))
                    self._recover_to = None
                    continue
                if self._draining:
                    return None  # the next owner finishes it
                await self._changed.wait()
                continue
            wait = self._oldest + self._settings.linger_seconds - self._clock.monotonic()
            if self._records and (self._draining or wait <= 0 or self._bytes >= self._settings.batch_bytes):
                return self._take(self._fitting())
            if self._draining:
                return None
            if not self._records:
                await self._changed.wait()
            else:
                await self._changed_or(wait)

    async def _changed_or(self, seconds: float) -> None:
        waiter = asyncio.ensure_future(self._changed.wait())
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waiter, sleeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            sleeper.cancel()

    def _fitting(self) -> int:
        taken, count = 0, 0
        for record in self._records:
            if count and taken + len(record.value) > self._settings.batch_bytes:
                break
            taken += len(record.value)
            count += 1
        return count

    def _take(self, count: int) -> Batch:
        records = tuple(self._records.popleft() for _ in range(count))
        self._bytes -= sum(len(record.value) for record in records)
        self._oldest = self._clock.monotonic()
        return Batch(self._signal, self._partition.partition, records)

    async def _write(self, batch: Batch) -> None:
        recovering, self._recover_to = self._recover_to is not None, None
        if not recovering:
            await self._commit(batch.intent)
        await self._store.put(batch, uncertain=recovering)
        lag_seconds = (self._clock.now_ns() - batch.oldest_received_ns) / 1e9
        self._metrics.freshness.labels(signal=self._signal.name).observe(max(lag_seconds, 0.0))
        if self._draining or not self._records:
            await self._commit(Position(batch.last + 1))

    async def _commit(self, position: Position) -> None:
        # Waiting here is safe: nothing of the batch is in the store before its intent is on the bus.
        while True:
            try:
                await self._consumer.commit({self._partition: position})
            except BusUnavailable:
                self._metrics.retries.labels(reason="bus").inc()
                await self._clock.sleep(self._settings.retry_seconds)
            else:
                return


class Writer:
    """All lanes of this process; the rebalance listener of its own consumer."""

    def __init__(self, store: BatchStore, settings: WriterSettings, clock: Clock, metrics: WriterMetrics) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._consumer: Consumer | None = None
        self._lanes: dict[TopicPartition, Lane] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}

    async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Start a lane for each at its committed position, before any of its records is returned."""
        for partition in sorted(partitions):
            assert self._consumer is not None, "run() comes before the first poll"
            lane = Lane(partition, self._consumer, self._store, self._settings, self._clock, self._metrics)
            while True:
                try:
                    await lane.start()
                except BusUnavailable:
                    self._metrics.retries.labels(reason="bus").inc()
                    await self._clock.sleep(self._settings.retry_seconds)
                else:
                    break
            self._lanes[partition] = lane
            name = f"lane {partition.topic}-{partition.partition}"
            self._tasks[partition] = asyncio.create_task(lane.run(), name=name)

    async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Abandon: what was in flight has its intent on the bus, and the next owner finishes it."""
        for partition in partitions:
            await self._end(partition)

    async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
        """Book what retention took before it was read."""
        log.error(
            "records left the bus before they were read; retention is shorter than the lag",
            topic=partition.topic, partition=partition.partition, expected=expected, found=found,
        )  # fmt: skip
        self._metrics.gap_records.labels(topic=partition.topic).inc(found - expected)
        if partition in self._lanes:
            self._lanes[partition].gap(found)

    async def run(self, consumer: Consumer, stop: asyncio.Event) -> None:
        """Read until `stop`, then write what has been read and commit it."""
        self._consumer = consumer
        try:
            while not stop.is_set():
                await self._read(consumer)
                self._raise_failures()
            for lane in self._lanes.values():
                lane.drain()
            await asyncio.gather(*self._tasks.values())
        finally:
            for partition in list(self._tasks):
                await self._end(partition)

    async def _read(self, consumer: Consumer) -> None:
        for partition, lane in self._lanes.items():
            await (consumer.pause(partition) if lane.full else consumer.resume(partition))
        try:
            records = await consumer.poll(max_bytes=self._settings.batch_bytes, timeout=self._settings.poll_seconds)
        except BusUnavailable as error:
            self._metrics.retries.labels(reason="bus").inc()
            log.warning("bus does not answer, trying again", detail=error.detail)
            await self._clock.sleep(self._settings.retry_seconds)
            return
        for partition, some in records.items():
            if partition in self._lanes:
                self._lanes[partition].offer(some)

    def _raise_failures(self) -> None:
        for partition, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[partition], self._lanes[partition]
                task.result()

    async def _end(self, partition: TopicPartition) -> None:
        self._lanes.pop(partition, None)
        task = self._tasks.pop(partition, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
