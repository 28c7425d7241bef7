"""One partition, from the moment it is assigned to the moment it is revoked. For each batch, in this order:

1. commit where the batch starts, with its end, the topic's life and the time as metadata (the intent);
2. insert it under a token made of life and offset range;
3. commit where the next one starts (with the next intent, when there already is one).

A writer that dies anywhere between is followed by one that finds the intent, reads the same records, and inserts them under the
same token. A writer that lost its partition cannot commit a further intent (CommitFenced), so it cannot start another batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from libs.common.bus.protocol import Consumer, Position, Record, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable, CommitFenced, StoreUnavailable
from libs.common.pipeline.batch import Batch, Committed
from libs.common.pipeline.budget import MemoryBudget, held_bytes
from libs.common.pipeline.metrics import WriterMetrics
from libs.common.pipeline.pacing import Coverage
from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory
from libs.common.pipeline.storing import BatchStore, Outcome, Task

log = structlog.get_logger(__name__)

T = TypeVar("T")

# What the store keeps, and what this means for a topic of so many partitions. Raises StoreUnavailable or WindowTooSmall.
Cover = Callable[[], Awaitable[tuple[Memory, Coverage]]]


@dataclass(slots=True)
class _Cut:
    """Up to `until`, batches of at most `records`: the store did not take more at once."""

    until: int
    records: int


class PartitionWorker:
    """Reads nothing itself: the writer offers what it polled."""

    def __init__(
        self,
        partition: TopicPartition,
        consumer: Consumer,
        store: BatchStore,
        cover: Cover,
        settings: PipelineSettings,
        clock: Clock,
        metrics: WriterMetrics,
        budget: MemoryBudget,
    ) -> None:
        self._partition = partition
        self._consumer = consumer
        self._store = store
        self._cover = cover
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._budget = budget
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._held = 0
        self._oldest = 0.0
        self._changed = asyncio.Event()
        self._draining = False
        self._life = ""
        self._intent: Committed | None = None
        self._cut: _Cut | None = None
        self._finishing = False
        self._restarted = False
        self._awaited: int | None = None
        self._rested = float("-inf")

    @property
    def recovering(self) -> bool:
        """Whether a batch that an owner before has announced is not stored yet."""
        return self._intent is not None or self._finishing

    @property
    def incomplete(self) -> bool:
        """Whether an announced batch has to be read to its end, whatever it takes."""
        return self._intent is not None and not self._announced_is_here

    @property
    def full(self) -> bool:
        """Whether two batches wait, or the announced one."""
        return self._bytes >= 2 * self._settings.batch_bytes or self._announced_is_here

    @property
    def _announced_is_here(self) -> bool:
        return (
            self._intent is not None
            and self._intent.last is not None
            and bool(self._records)
            and self._records[-1].offset >= self._intent.last
        )

    async def start(self) -> None:
        """Read what was committed; raises BusUnavailable."""
        self._life = await self._consumer.life(self._partition)
        position = await self._consumer.committed(self._partition)
        if position is None:
            return
        committed = Committed.read(position)
        if committed.life not in {None, self._life}:
            log.warning("the topic began a new life, reading it from its beginning", **self._labels)
            await self._consumer.seek(self._partition, 0)
            return
        await self._consumer.seek(self._partition, committed.offset)
        if committed.last is not None:
            self._intent = committed
            log.info("finishing an intended batch", last=committed.last, **self._labels)

    def offer(self, records: Iterable[Record]) -> None:
        """Take records read from the bus. The caller stops reading while `full`."""
        for record in records:
            if self._awaited not in {None, record.offset}:
                continue  # read before the seek
            self._awaited = None
            if not self._records:
                self._oldest = self._clock.monotonic()
            self._records.append(record)
            self._bytes += len(record.value)
            self._hold(held_bytes((record,)))
        self._changed.set()

    def gap(self, expected: int, found: int) -> None:
        """The bus no longer has the records before `found`, or counts from the beginning again."""
        if found < expected:
            self._restarted = True
        elif self._intent is not None and self._intent.last is not None and found > self._intent.last:
            self._intent = None
        if self._awaited is not None:
            self._awaited = found
        self._changed.set()

    def drain(self) -> None:
        """Write what is here, then end."""
        self._draining = True
        self._changed.set()

    def release(self) -> None:
        """Give back the memory; the worker has ended."""
        self._hold(-self._held)

    async def run(self) -> None:
        """Until drained, cancelled (revoked) or fenced. Raises StoreRejected and WindowTooSmall."""
        try:
            memory, coverage = await self._retried(self._cover)
            while await self._ready(coverage):
                life = await self._retried(lambda: self._consumer.life(self._partition))
                if self._restarted or life != self._life:
                    await self._begin_again(life)
                else:
                    await self._write(memory, coverage)
        except CommitFenced:
            # Not an error: the partition has a new owner, which starts from the same intent.
            log.info("partition has a new owner", **self._labels)

    async def _ready(self, coverage: Coverage) -> bool:
        """Wait until a batch is due; False when there will be none."""
        while True:
            self._changed.clear()
            if self._restarted:
                return True
            if self._intent is not None:
                if self._announced_is_here:
                    return True
                if self._draining:
                    return False  # the next owner finishes it
                await self._changed.wait()
                continue
            if not self._records:
                if self._draining:
                    return False
                await self._changed.wait()
                continue
            due = self._store.pace.due(self._oldest)
            if self._draining or self._cut is not None or self._bytes >= self._settings.batch_bytes:
                due = 0.0
            wait = max(due, self._rested + coverage.rest) - self._clock.monotonic()
            if wait <= 0:
                return True
            await self._changed_or(wait)

    async def _changed_or(self, seconds: float) -> None:
        waiter = asyncio.ensure_future(self._changed.wait())
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waiter, sleeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            sleeper.cancel()

    async def _begin_again(self, life: str) -> None:
        """Offsets count from 0 again: what is here may be of either life, and what is on the bus is read from its beginning."""
        log.warning(
            "the topic began a new life, reading it from its beginning", dropped=len(self._records), **self._labels
        )
        self._take(len(self._records))
        self.release()
        self._intent = self._cut = None
        self._restarted = False
        self._life = life
        self._awaited = 0
        await self._consumer.seek(self._partition, 0)

    def _next(self) -> tuple[Batch, Committed, float | None]:
        """The batch, its intent, and the intent's age in seconds if that is known."""
        if self._intent is not None:
            intent, self._intent = self._intent, None
            assert intent.last is not None, "only what was announced is read again"
            last = intent.last
            records = self._take(sum(record.offset <= last for record in self._records))
            batch = Batch(self._partition, intent.life, intent.offset, last, records)
            age = None if intent.at_ms is None else max(self._clock.now_ns() / 1e9 - intent.at_ms / 1e3, 0.0)
            return batch, intent, age
        batch = Batch.over(self._partition, self._life, self._take(self._fitting()))
        intent = Committed(batch.first, self._life, batch.last, self._clock.now_ns() // 1_000_000)
        return batch, intent, 0.0

    def _fitting(self) -> int:
        taken, count = 0, 0
        for record in self._records:
            if count and taken + len(record.value) > self._settings.batch_bytes:
                break
            if self._cut is not None and (count == self._cut.records or (count and record.offset > self._cut.until)):
                break
            taken += len(record.value)
            count += 1
        return count

    def _take(self, count: int) -> tuple[Record, ...]:
        records = tuple(self._records.popleft() for _ in range(count))
        self._bytes -= sum(len(record.value) for record in records)
        self._oldest = self._clock.monotonic()
        return records

    def _put_back(self, records: Iterable[Record]) -> None:
        records = tuple(records)
        self._records.extendleft(reversed(records))
        self._bytes += sum(len(record.value) for record in records)

    async def _write(self, memory: Memory, coverage: Coverage) -> None:
        recovering = self._finishing = self._intent is not None
        batch, intent, age = self._next()
        if not batch.records:
            self._finishing = False
            return  # nothing of what was intended is left on the bus
        if not recovering:
            await self._commit(intent.position)
        self._rested = self._clock.monotonic()

        async def still_ours() -> None:
            await self._commit(intent.position)

        task = Task(batch, coverage, memory, still_ours, age=age, uncertain=recovering)
        if await self._store.put(task) is Outcome.CUT:
            half = (len(batch.records) + 1) // 2
            self._cut = _Cut(max(batch.last, self._cut.until if self._cut else 0), half)
            self._put_back(batch.records)
            self._finishing = False
            return
        self._hold(-held_bytes(batch.records))
        self._finishing = False
        if self._cut is not None:
            self._cut.records *= 2
            if batch.last >= self._cut.until:
                self._cut = None
        oldest = min(self._store.sink.received_ns(record) for record in batch.records)
        lag_seconds = (self._clock.now_ns() - oldest) / 1e9
        self._metrics.freshness.labels(signal=self._store.sink.name).observe(max(lag_seconds, 0.0))
        if self._draining or not self._records:
            await self._commit(Committed(batch.last + 1, self._life).position)

    async def _commit(self, position: Position) -> None:
        # Waiting here is safe: nothing of the batch is in the store before its intent is on the bus.
        await self._retried(lambda: self._consumer.commit({self._partition: position}))

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except (BusUnavailable, StoreUnavailable) as error:
                reason = "bus" if isinstance(error, BusUnavailable) else "store"
                self._metrics.retries.labels(reason=reason).inc()
                await self._clock.sleep(self._settings.retry_seconds)

    def _hold(self, size: int) -> None:
        self._held += size
        self._budget.take(size)

    @property
    def _labels(self) -> dict[str, object]:
        return {"topic": self._partition.topic, "partition": self._partition.partition}
