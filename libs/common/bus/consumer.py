"""What every transport's consumer has in common: metrics, on every call."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from libs.common.bus.metrics import BusMetrics
from libs.common.bus.protocol import Consumer, Position, Record, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable

_LAG_SECONDS = 10.0


class BusConsumer:
    """The Consumer that `open_consumer` gives out."""

    def __init__(self, transport: Consumer, group: str, topics: frozenset[str], metrics: BusMetrics) -> None:
        self._transport = transport
        self._group = group
        self._topics = topics
        self._metrics = metrics

    def assignment(self) -> frozenset[TopicPartition]:
        """See Consumer."""
        return self._transport.assignment()

    async def poll(self, *, max_bytes: int, timeout: float) -> dict[TopicPartition, list[Record]]:
        """See Consumer."""
        found = await self._transport.poll(max_bytes=max_bytes, timeout=timeout)
        for tp, records in found.items():
            labels = {"topic": tp.topic, "group": self._group}
            self._metrics.received_records.labels(**labels).inc(len(records))
            self._metrics.received_bytes.labels(**labels).inc(sum(len(record.value) for record in records))
        return found

    async def committed(self, partition: TopicPartition) -> Position | None:
        """See Consumer."""
        return await self._transport.committed(partition)

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """See Consumer."""
        await self._transport.commit(positions)

    async def life(self, partition: TopicPartition) -> str:
        """See Consumer."""
        return await self._transport.life(partition)

    async def partition_count(self, topic: str) -> int:
        """See Consumer."""
        return await self._transport.partition_count(topic)

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """See Consumer."""
        await self._transport.seek(partition, offset)

    async def pause(self, partition: TopicPartition) -> None:
        """See Consumer."""
        await self._transport.pause(partition)

    async def resume(self, partition: TopicPartition) -> None:
        """See Consumer."""
        await self._transport.resume(partition)

    async def lag(self) -> dict[TopicPartition, int]:
        """See Consumer."""
        lag = await self._transport.lag()
        by_topic: dict[str, int] = defaultdict(int)
        for tp, records in lag.items():
            by_topic[tp.topic] += records
        for topic in self._topics:  # those without a partition of ours too, else their last value would stand for ever
            self._metrics.lag.labels(topic=topic, group=self._group).set(by_topic[topic])
        return lag

    async def check(self) -> None:
        """See Consumer."""
        await self._transport.check()


@asynccontextmanager
async def reporting_lag(consumer: BusConsumer, clock: Clock) -> AsyncIterator[None]:
    """Keep the lag metric fresh meanwhile."""

    async def report() -> None:
        while True:
            await clock.sleep(_LAG_SECONDS)
            with suppress(BusUnavailable):
                await consumer.lag()

    task = asyncio.create_task(report(), name="bus-lag")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
