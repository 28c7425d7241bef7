"""One way to drive each transport, so that one suite fits all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition as KafkaPartition
from redis.asyncio import Redis

from libs.common import bus
from libs.common.bus import (
    BusMetrics,
    Consumer,
    Producer,
    RebalanceListener,
    Record,
    TopicDeclaration,
    TopicPartition,
)
from libs.common.bus.topics import ConsumerGroup, Retention
from libs.common.clock import SystemClock
from libs.common.settings import BusSettings
from libs.common.testing.memory_bus import MemoryBus
from tests.fixtures.kafka import Kafka
from tests.fixtures.redis import KillableRedis

PATIENCE = 30.0


class Transport(Protocol):
    """A bus under test."""

    name: str
    settings: BusSettings

    async def ensure(self, *declarations: TopicDeclaration) -> None: ...
    def producer(self, *, metrics: BusMetrics | None = None) -> AbstractAsyncContextManager[Producer]: ...
    def consumer(
        self,
        group: str,
        *topics: str,
        listener: RebalanceListener | None = None,
        metrics: BusMetrics | None = None,
    ) -> AbstractAsyncContextManager[Consumer]: ...
    async def lose_before(self, partition: TopicPartition, offset: int) -> None:
        """Drop the head of a log, as retention does."""

    async def make_again(self, declaration: TopicDeclaration) -> None:
        """Lose the topic with all it holds, and declare it again."""

    async def go_away(self) -> None: ...
    async def come_back(self) -> None: ...


class MemoryTransport:
    name = "memory"

    def __init__(self, settings: BusSettings) -> None:
        self.settings = settings
        self._bus = MemoryBus(settings=settings)

    async def ensure(self, *declarations: TopicDeclaration) -> None:
        await self._bus.ensure_topics(declarations)

    def producer(self, *, metrics: BusMetrics | None = None) -> AbstractAsyncContextManager[Producer]:
        return self._bus.open_producer(metrics=metrics)

    def consumer(
        self,
        group: str,
        *topics: str,
        listener: RebalanceListener | None = None,
        metrics: BusMetrics | None = None,
    ) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.open_consumer(group, topics, listener, metrics=metrics)

    async def lose_before(self, partition: TopicPartition, offset: int) -> None:
        self._bus.log(partition).drop_before(offset)

    async def make_again(self, declaration: TopicDeclaration) -> None:
        self._bus.recreate(declaration.topic)

    async def go_away(self) -> None:
        self._bus.away = True

    async def come_back(self) -> None:
        self._bus.away = False


class _RealTransport:
    def __init__(self, settings: BusSettings) -> None:
        self.settings = settings

    async def ensure(self, *declarations: TopicDeclaration) -> None:
        await bus.ensure_topics(self.settings, declarations)

    def producer(self, *, metrics: BusMetrics | None = None) -> AbstractAsyncContextManager[Producer]:
        return bus.open_producer(self.settings, SystemClock(), metrics=metrics)

    def consumer(
        self,
        group: str,
        *topics: str,
        listener: RebalanceListener | None = None,
        metrics: BusMetrics | None = None,
    ) -> AbstractAsyncContextManager[Consumer]:
        return bus.open_consumer(self.settings, group, topics, listener, SystemClock(), metrics=metrics)


class RedisTransport(_RealTransport):
    name = "redis"

    def __init__(self, settings: BusSettings, server: KillableRedis) -> None:
        super().__init__(settings)
        self._server = server

    async def lose_before(self, partition: TopicPartition, offset: int) -> None:
        async with Redis.from_url(self._server.url) as client:
            key = f"airis:bus:{{{partition.topic}}}"
            await client.xtrim(f"{key}/{partition.partition}", minid=f"0-{offset + 1}", approximate=False)
            await client.hset(key, f"start:{partition.partition}", offset)

    async def make_again(self, declaration: TopicDeclaration) -> None:
        async with Redis.from_url(self._server.url) as client:
            await client.flushall()
        await self.ensure(declaration)

    async def go_away(self) -> None:
        await asyncio.to_thread(self._server.kill)

    async def come_back(self) -> None:
        await asyncio.to_thread(self._server.start)


class KafkaTransport(_RealTransport):
    name = "kafka"

    def __init__(self, settings: BusSettings, cluster: Kafka) -> None:
        super().__init__(settings)
        self._cluster = cluster

    async def lose_before(self, partition: TopicPartition, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._cluster.bootstrap)
        await admin.start()
        try:
            await admin.delete_records(
                {KafkaPartition(partition.topic, partition.partition): RecordsToDelete(before_offset=offset)}
            )
        finally:
            await admin.close()

    async def make_again(self, declaration: TopicDeclaration) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._cluster.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([declaration.topic])
            async with asyncio.timeout(PATIENCE):
                while declaration.topic in await admin.list_topics():
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()
        await self.ensure(declaration)

    async def go_away(self) -> None:
        await asyncio.to_thread(self._cluster.kill)

    async def come_back(self) -> None:
        await asyncio.to_thread(self._cluster.start_again)


def declaration(*, partitions: int = 4, groups: tuple[str, ...] = (), retained_bytes: int = 2**30) -> TopicDeclaration:
    """A topic of the test's own."""
    return TopicDeclaration(
        topic=f"test.t{uuid4().hex[:12]}",
        owner="test",
        description="Made by a test and used by nothing else.",
        producers=("test.producer",),
        consumers=tuple(ConsumerGroup(group=group, role="test.consumer") for group in groups),
        key="none",
        partitions=partitions,
        retention=Retention(hours=1, bytes_per_partition=retained_bytes),
        max_record_bytes=1024**2,
    )


def group() -> str:
    """A group of the test's own."""
    return f"group-{uuid4().hex[:12]}"


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, frozenset[TopicPartition]]] = []
        self.gaps: list[tuple[TopicPartition, int, int]] = []
        self.on_revoke: Callable[[frozenset[TopicPartition]], Awaitable[None]] | None = None
        self.on_assign: Callable[[frozenset[TopicPartition]], Awaitable[None]] | None = None

    async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.events.append(("assigned", partitions))
        if self.on_assign is not None:
            await self.on_assign(partitions)

    async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self.events.append(("revoked", partitions))
        if self.on_revoke is not None:
            await self.on_revoke(partitions)

    async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
        self.gaps.append((partition, expected, found))


async def read(consumer: Consumer, count: int, *, patience: float = PATIENCE, max_bytes: int = 2**20) -> list[Record]:
    """At least `count` records, or what came within `patience` seconds."""
    records: list[Record] = []
    deadline = asyncio.get_running_loop().time() + patience
    while len(records) < count and asyncio.get_running_loop().time() < deadline:
        for found in (await consumer.poll(max_bytes=max_bytes, timeout=0.5)).values():
            records += found
    return records


async def poll_until(condition: Callable[[], bool], *consumers: Consumer) -> list[Record]:
    """Poll all at once until the condition holds; what they read meanwhile."""
    records: list[Record] = []

    async def poll(consumer: Consumer) -> None:
        while not condition():
            for found in (await consumer.poll(max_bytes=2**20, timeout=0.2)).values():
                records.extend(found)

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(poll(consumer) for consumer in consumers))
    return records


@asynccontextmanager
async def several(*contexts: AbstractAsyncContextManager[Consumer]) -> AsyncIterator[list[Consumer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(context) for context in contexts]
