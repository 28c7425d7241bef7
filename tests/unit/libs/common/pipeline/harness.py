"""A pipeline on the bus and the store in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from libs.common.errors import BusUnavailable
from libs.common.metrics import sample_value
from libs.common.pipeline import DeadLetters, PipelineSettings, Writer, WriterMetrics
from libs.common.settings import BusSettings
from libs.common.testing.fake_store import FakeSink, FakeStore
from libs.common.testing.memory_bus import MemoryBus
from libs.common.testing.pipeline_simulation import GROUP, topics
from libs.common.testing.virtual_time import VirtualClock

STALL = 20.0
SETTINGS = PipelineSettings(batch_bytes=64 * 1024, memory_bytes=1024**2, retry_limit_seconds=2.0, count_seconds=5.0)


class Rig:
    """Made inside the virtual loop."""

    def __init__(
        self, store: FakeStore | None = None, *, partitions: int = 2, settings: PipelineSettings = SETTINGS
    ) -> None:
        self.clock = VirtualClock()
        self.settings = settings
        self.store = store or FakeStore(self.clock)
        self.sink = FakeSink(self.store)
        self.bus = MemoryBus(self.clock, BusSettings(partitions=partitions, session_timeout_seconds=2.0))
        self.declarations = topics(partitions)
        self.topic, self.dead_letters = (declaration.topic for declaration in self.declarations)
        self.registry = CollectorRegistry()
        self.writer: Writer | None = None
        self.sent: list[bytes] = []
        self.declared = False

    async def send(self, count: int, *, value: bytes = b"record", size: int = 0, partition: int | None = None) -> None:
        if not self.declared:
            self.declared = True
            await self.bus.ensure_topics(self.declarations)
        async with self.bus.open_producer() as producer:
            for _ in range(count):
                self.sent.append(b"%s %d %s" % (value, len(self.sent), bytes(size)))
                await producer.send(self.topic, self.sent[-1], partition=partition)

    async def write(self, stop: asyncio.Event) -> None:
        """One writer, until `stop` or for ever."""
        self.registry = CollectorRegistry()
        async with self.bus.open_producer() as producer:
            dead = DeadLetters(producer, self.dead_letters, self.settings, self.clock)
            metrics = WriterMetrics(self.registry)
            self.writer = Writer({self.topic: self.sink}, dead, self.settings, self.clock, metrics, stall=STALL)
            async with self.bus.open_consumer(GROUP, [self.topic], self.writer) as consumer:
                await self.writer.run(consumer, stop)

    @asynccontextmanager
    async def writing(self, *, kill: bool = False) -> AsyncIterator[asyncio.Task[None]]:
        """A writer beside the block; then it stops, or is killed: no drain, no commit, whatever was in flight stays so."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.write(stop))
        try:
            yield task
        finally:
            stop.set()
            if kill:
                task.cancel()
                await asyncio.wait([task])
            else:
                await task

    async def stored(self, count: int, seconds: float = 600.0) -> None:
        """Wait until so many different records are stored. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.store.values) < count:
                await asyncio.sleep(0.01)

    async def drain(self, count: int) -> None:
        """A writer until so many are stored, and then some, for what would come a second time."""
        async with self.writing() as task:
            async with asyncio.timeout(600):
                while len(self.store.values) < count and not task.done():
                    await asyncio.sleep(0.01)
            await asyncio.sleep(2)
        await self.store.settle()

    def metric(self, name: str) -> float:
        return sample_value(self.registry, name, signal="fake")

    def assert_once(self) -> None:
        """All that was sent, each once, and the rollup likewise."""
        wanted = {value for value in self.sent if not value.startswith(b"poison")}
        assert set(self.store.values) == wanted
        assert set(self.store.values.values()) == {1}
        assert self.store.rollup == self.store.values


async def committed(rig: Rig, partition: int) -> tuple[int, str]:
    """Offset and metadata that the group has committed."""
    state = rig.bus._state.topic(rig.topic).group(GROUP).positions.get(partition)
    if state is None:
        raise BusUnavailable("nothing is committed")
    return state.offset, state.metadata
