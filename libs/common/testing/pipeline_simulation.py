"""One seeded history of a pipeline: writers come, go and die, the bus and the store fail in all their ways, and in the end every
acknowledged record is stored once, and so is what the rollup made of it.

    report = run_virtual(simulate(seed))
    assert report.problems == []
"""

import asyncio
import random
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry

from libs.common.bus.protocol import Consumer, Producer, RebalanceListener
from libs.common.bus.topics import ConsumerGroup, Retention, TopicDeclaration
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable
from libs.common.pipeline import DeadLetters, Memory, PipelineSettings, Writer, WriterMetrics
from libs.common.settings import BusSettings
from libs.common.testing.fake_store import FakeSink, FakeStore, Faults
from libs.common.testing.memory_bus import MemoryBus
from libs.common.testing.virtual_time import VirtualClock

GROUP = "simulated-writer"
PATIENCE_SECONDS = 3600.0


class SimulatedBus(Protocol):
    """A bus that a simulation may hurt."""

    def producer(self) -> AbstractAsyncContextManager[Producer]: ...
    def consumer(
        self, group: str, topics: list[str], listener: RebalanceListener
    ) -> AbstractAsyncContextManager[Consumer]: ...
    async def recreate(self, topic: str, *, keep_commits: bool) -> None: ...
    def go_away(self, *, away: bool) -> None: ...


@dataclass
class Plan:
    """What a seed decides."""

    seed: int
    partitions: int
    memory: Memory
    faults: Faults
    stall: float
    lag: float
    steps: int
    poison: float
    recreates: bool
    settings: PipelineSettings

    @classmethod
    def of(cls, seed: int) -> "Plan":
        """The same for the same seed."""
        draw = random.Random(seed)
        partitions = draw.choice([1, 2, 3, 4, 6])
        stall = draw.choice([12.0, 20.0, 40.0])
        tokens = int(partitions * stall * draw.uniform(1.01, 4))
        atomic = draw.random() < 0.5
        memory = Memory(atomic, tokens, stall * draw.uniform(1.01, 3)) if atomic else Memory(atomic, tokens)
        faults = Faults(
            lost=draw.choice([0, 0.1]),
            unheard=draw.choice([0, 0.1, 0.3]),
            half=draw.choice([0, 0, 0.05]),
            slow_reads=draw.choice([0, 0.3]),
            dear_reads=draw.choice([0, 0.3]),
            most_records=draw.choice([1_000_000, 20]),
            slowest=draw.choice([0.05, 0.5, 3.0]),
        )
        settings = PipelineSettings(
            batch_bytes=64 * 1024, linger_seconds=draw.choice([0.3, 1.2]), memory_bytes=512 * 1024, inserts=draw.choice([1, 2]),
            retry_limit_seconds=2.0, count_seconds=5.0,
        )  # fmt: skip
        return cls(
            seed, partitions, memory, faults, stall, draw.choice([0.0, 1.0, 30.0]), draw.randint(20, 40),
            draw.choice([0.0, 0.02]), draw.random() < 0.5, settings,
        )  # fmt: skip


@dataclass
class Report:
    """What happened, and what is wrong with it."""

    acknowledged: int = 0
    stored: int = 0
    deaths: int = 0
    lives: int = 1
    counted: int = 0
    # Records in the table and not in the rollup: their insert ended between the two, and came again after a stall that
    # outlived the store's memory of it (the cost that ADR 0014 names).
    short: int = 0
    problems: list[str] = field(default_factory=list)


class _Memory:
    """SimulatedBus in memory."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def producer(self) -> AbstractAsyncContextManager[Producer]:
        return self._bus.open_producer()

    def consumer(
        self, group: str, topics: list[str], listener: RebalanceListener
    ) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.open_consumer(group, topics, listener)

    async def recreate(self, topic: str, *, keep_commits: bool) -> None:
        self._bus.recreate(topic, keep_commits=keep_commits)

    def go_away(self, *, away: bool) -> None:
        self._bus.away = away


def topics(partitions: int, suffix: str = "") -> tuple[TopicDeclaration, TopicDeclaration]:
    """The topic and the one for its dead letters."""

    def declaration(name: str, count: int, groups: tuple[ConsumerGroup, ...]) -> TopicDeclaration:
        return TopicDeclaration(
            topic=f"simulated.{name}{suffix}", owner="test", description="Made by a simulation and used by nothing else.",
            producers=("test.producer",), consumers=groups, key="none", partitions=count,
            retention=Retention(hours=24, bytes_per_partition=2**30), max_record_bytes=2**20,
        )  # fmt: skip

    return (
        declaration("records", partitions, (ConsumerGroup(group=GROUP, role="test.writer"),)),
        declaration("dead_letters", 1, ()),
    )


async def simulate(seed: int) -> Report:
    """A run in memory, in virtual time."""
    plan = Plan.of(seed)
    clock = VirtualClock()
    settings = BusSettings(partitions=plan.partitions, session_timeout_seconds=2.0, max_poll_interval_seconds=6.0)
    bus = MemoryBus(clock, settings)
    records, dead = topics(plan.partitions)
    await bus.ensure_topics([records, dead])
    return await Simulation(plan, clock, _Memory(bus), records.topic, dead.topic).run()


class Simulation:
    """Runs a plan on a bus. Each step is drawn, so that a seed is a history."""

    def __init__(self, plan: Plan, clock: Clock, bus: SimulatedBus, topic: str, dead_letters: str) -> None:
        self._plan = plan
        self._clock = clock
        self._bus = bus
        self._topic = topic
        self._dead_letters = dead_letters
        self._draw = random.Random(f"steps {plan.seed}")
        self.store = FakeStore(clock, plan.seed, memory=plan.memory, faults=plan.faults, lag=plan.lag)
        self._writers: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        self._registries: list[CollectorRegistry] = []
        self._sent = 0
        self._acknowledged: dict[bytes, int] = {}
        self._report = Report()

    async def run(self) -> Report:
        """All steps, then peace until everything acknowledged is stored."""
        async with self._bus.producer() as producer:
            self._start()
            for _ in range(self._plan.steps):
                await self._step(producer)
            self._calm()
            await self._finish()
        return self._report

    async def _step(self, producer: Producer) -> None:
        draw = self._draw
        await self._send(producer, draw.choice([0, 1, 1, 5, 40]))
        match draw.choice(["wait", "wait", "kill", "stop", "start", "away", "bus", "mute", "recreate", "longer"]):
            case "kill":
                await self._end(kill=True)
            case "stop":
                await self._end(kill=False)
            case "start" if len(self._writers) < 3:
                self._start()
            case "away":
                self.store.faults.away = not self.store.faults.away
            case "bus":
                self._bus.go_away(away=True)
                await self._clock.sleep(draw.uniform(0, 3))
                self._bus.go_away(away=False)
            case "mute":
                muted = self.store.faults.mute
                number = draw.randrange(self._plan.partitions)
                muted.symmetric_difference_update({number})
            case "recreate" if self._plan.recreates:
                await self._bus.recreate(self._topic, keep_commits=draw.random() < 0.3)
                self._report.lives += 1
            case "longer":
                await self._clock.sleep(self._plan.stall * draw.uniform(0.5, 2.5))
            case _:
                pass
        await self._clock.sleep(draw.choice([0.0, 0.01, 0.3, 2.0]))
        if not self._writers and draw.random() < 0.7:
            self._start()

    async def _send(self, producer: Producer, count: int) -> None:
        for _ in range(count):
            self._sent += 1
            kind = b"poison" if self._draw.random() < self._plan.poison else b"record"
            value = b"%s %d %s" % (kind, self._sent, bytes(self._draw.choice([0, 2000, 30_000])))
            try:
                await producer.send(self._topic, value)
            except BusUnavailable:
                continue
            self._acknowledged[value] = self._report.lives

    def _start(self) -> None:
        stop = asyncio.Event()
        self._writers.append((asyncio.create_task(self._write(stop), name="writer"), stop))

    async def _write(self, stop: asyncio.Event) -> None:
        registry = CollectorRegistry()
        self._registries.append(registry)
        async with self._bus.producer() as producer:
            dead = DeadLetters(producer, self._dead_letters, self._plan.settings, self._clock)
            writer = Writer(
                {self._topic: FakeSink(self.store)}, dead, self._plan.settings, self._clock, WriterMetrics(registry),
                stall=self._plan.stall,
            )  # fmt: skip
            async with self._bus.consumer(GROUP, [self._topic], writer) as consumer:
                await writer.run(consumer, stop)
        if writer.budget.used:
            self._report.problems.append(f"{writer.budget.used} bytes are held after the end")
        if writer.budget.peak > self._plan.settings.memory_bytes:
            self._report.problems.append(f"{writer.budget.peak} bytes were held, more than the budget")

    async def _end(self, *, kill: bool) -> None:
        """A kill is a cancellation: no drain, no commit, and what the store was told goes on there."""
        if not self._writers:
            return
        task, stop = self._writers.pop(self._draw.randrange(len(self._writers)))
        stop.set()
        if not kill:
            await asyncio.wait([task], timeout=self._draw.uniform(0.5, 20))
        task.cancel()
        await self._ended(task)
        self._report.deaths += 1

    async def _ended(self, task: asyncio.Task[None]) -> None:
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if result is not None and not isinstance(result, asyncio.CancelledError):
            self._report.problems.append(f"a writer ended by {result!r}")

    def _calm(self) -> None:
        faults = self.store.faults
        faults.away, faults.mute = False, set()
        faults.lost = faults.unheard = faults.half = faults.slow_reads = faults.dear_reads = 0.0
        if not self._writers:
            self._start()

    async def _finish(self) -> None:
        report, latest = self._report, self._report.lives
        wanted = {
            value for value, life in self._acknowledged.items() if life == latest and not value.startswith(b"poison")
        }
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not wanted <= self.store.values.keys() and not any(task.done() for task, _ in self._writers):
                    await self._clock.sleep(0.5)
        except TimeoutError:
            report.problems.append("it stands still")
        await self._clock.sleep(2 * self._plan.stall)  # for what would come a second time
        while self._writers:
            task, stop = self._writers.pop()
            stop.set()
            await asyncio.wait([task], timeout=60)
            task.cancel()
            await self._ended(task)
        await self.store.settle()
        self._compare(wanted)

    def _compare(self, wanted: set[bytes]) -> None:
        report, store = self._report, self.store
        report.acknowledged, report.stored = len(self._acknowledged), len(store.values)
        report.counted = store.counts
        for what, found in (("table", store.values), ("rollup", store.rollup)):
            report.problems += [
                f"{count} times in the {what}: {value[:20]!r}" for value, count in found.items() if count != 1
            ]
            lost = wanted - found.keys()
            if found is store.rollup:
                lost -= store.halved & store.values.keys()
            report.problems += [f"not in the {what}: {value[:20]!r}" for value in sorted(lost)]
        # What was half stored when its topic was deleted cannot be finished by anybody.
        late = {value for value, life in self._acknowledged.items() if life == report.lives}
        differing = (store.values.keys() ^ store.rollup.keys()) & late
        short = {value for value in differing if value in store.halved and value in store.values}
        report.short = len(short)
        differing -= short
        report.problems += [f"in one, not in the other: {value[:20]!r}" for value in sorted(differing)]
