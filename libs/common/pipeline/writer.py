"""All partitions of this process: reads within one memory budget, and is the rebalance listener of its own consumer."""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog

from libs.common.bus.protocol import Consumer, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable
from libs.common.pipeline.budget import MemoryBudget
from libs.common.pipeline.dead_letters import DeadLetters
from libs.common.pipeline.metrics import WriterMetrics
from libs.common.pipeline.pacing import Coverage
from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory, Sink
from libs.common.pipeline.storing import BatchStore
from libs.common.pipeline.worker import PartitionWorker
from libs.common.settings import BusSettings, ClickHouseSettings

log = structlog.get_logger(__name__)


def longest_stall(bus: BusSettings, store: ClickHouseSettings) -> float:
    """Seconds from the first try of an insert by an owner that then stands still to the one by its successor.

    Its session ends, the group waits for the slowest member, and the successor's first insert may take its time.
    """
    return bus.session_timeout_seconds + bus.max_poll_interval_seconds + 1.5 * store.insert_timeout_seconds


class Writer:
    """`sinks` by topic; `stall` as longest_stall says."""

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        dead_letters: DeadLetters,
        settings: PipelineSettings,
        clock: Clock,
        metrics: WriterMetrics,
        *,
        stall: float,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._stall = stall
        # For bodies of inserts, for intents that are read to their end when all else is full, and for the poll under way.
        self.budget = MemoryBudget(settings.memory_bytes, settings.least_memory_bytes - settings.batch_bytes)
        metrics.held.set_function(lambda: self.budget.used)
        slots = asyncio.Semaphore(settings.inserts)
        self._stores = {
            topic: BatchStore(sink, dead_letters, settings, clock, metrics, self.budget, slots)
            for topic, sink in sinks.items()
        }
        self._memories: dict[str, Memory] = {}
        self._consumer: Consumer | None = None
        self._workers: dict[TopicPartition, PartitionWorker] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}

    async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Start a worker for each at its committed position, before any of its records is returned."""
        for partition in sorted(partitions):
            assert self._consumer is not None, "run() comes before the first poll"
            worker = PartitionWorker(
                partition, self._consumer, self._stores[partition.topic], partial(self._cover, partition.topic),
                self._settings, self._clock, self._metrics, self.budget,
            )  # fmt: skip
            while True:
                try:
                    await worker.start()
                except BusUnavailable:
                    self._metrics.retries.labels(reason="bus").inc()
                    await self._clock.sleep(self._settings.retry_seconds)
                else:
                    break
            self._workers[partition] = worker
            name = f"partition {partition.topic}-{partition.partition}"
            self._tasks[partition] = asyncio.create_task(worker.run(), name=name)

    async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Abandon: what was in flight has its intent on the bus, and the next owner finishes it."""
        for partition in sorted(partitions):
            await self._end(partition)

    async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
        """Book what retention took before it was read."""
        if found > expected:
            log.error(
                "records left the bus before they were read; retention is shorter than the lag",
                topic=partition.topic, partition=partition.partition, expected=expected, found=found,
            )  # fmt: skip
            self._metrics.gap_records.labels(topic=partition.topic).inc(found - expected)
        if partition in self._workers:
            self._workers[partition].gap(expected, found)

    async def run(self, consumer: Consumer, stop: asyncio.Event) -> None:
        """Read until `stop`, then write what has been read and commit it. Raises what a worker raises."""
        self._consumer = consumer
        try:
            while not stop.is_set():
                await self._read(consumer)
                self._raise_failures()
            for worker in self._workers.values():
                worker.drain()
            await asyncio.gather(*self._tasks.values())
        finally:
            for partition in list(self._tasks):
                await self._end(partition)

    async def _cover(self, topic: str) -> tuple[Memory, Coverage]:
        if topic not in self._memories:
            self._memories[topic] = await self._stores[topic].sink.memory()
        assert self._consumer is not None, "run() comes before the first poll"
        count = await self._consumer.partition_count(topic)
        return self._memories[topic], Coverage.of(self._memories[topic], count, self._stall)

    async def _read(self, consumer: Consumer) -> None:
        free = self.budget.free
        # These hold memory that nothing but their own end sets free, so a few of them go on whatever the others hold.
        again = [tp for tp, worker in self._workers.items() if worker.recovering][: self._settings.inserts]
        room = free >= self._settings.batch_bytes
        for partition, worker in self._workers.items():
            wanted = (room or partition in again) if worker.incomplete else free > 0 and not worker.full
            await (consumer.resume(partition) if wanted else consumer.pause(partition))
        most = min(free, self._settings.batch_bytes) or self._settings.batch_bytes
        try:
            records = await consumer.poll(max_bytes=most, timeout=self._settings.poll_seconds)
        except BusUnavailable as error:
            self._metrics.retries.labels(reason="bus").inc()
            log.warning("bus does not answer, trying again", detail=error.detail)
            await self._clock.sleep(self._settings.retry_seconds)
            return
        for partition, some in records.items():
            if partition in self._workers:
                self._workers[partition].offer(some)

    def _raise_failures(self) -> None:
        for partition, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[partition]
                self._workers.pop(partition).release()
                task.result()

    async def _end(self, partition: TopicPartition) -> None:
        worker, task = self._workers.pop(partition, None), self._tasks.pop(partition, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if worker is not None:
            worker.release()
