"""The bus in memory. It runs the same contract suite as Kafka and Redis Streams (tests/contract/bus).

    bus = MemoryBus(clock)
    await bus.ensure_topics(load_declarations())
    async with bus.open_producer() as producer, bus.open_consumer("writer", ["telemetry.logs"], listener) as consumer: ...

Time is the clock's: with a FakeClock, `poll(timeout=0)` is the way to read, and leases run out by `clock.advance`.
`bus.away = True` makes every call fail as a bus does that does not answer. `bus.recreate(topic)` deletes a topic and makes it
again, as an operator or an emptied Redis does: its offsets begin at 0, in a new life.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice

from libs.common.bus.consumer import BusConsumer
from libs.common.bus.in_flight import InFlightBytes
from libs.common.bus.leases import Fetched, Heartbeat, LeasedConsumer
from libs.common.bus.listening import CountingListener
from libs.common.bus.metrics import BusMetrics, unexported_metrics
from libs.common.bus.partitioning import Partitioner
from libs.common.bus.producer import BusProducer
from libs.common.bus.protocol import (
    Consumer,
    Headers,
    Position,
    Producer,
    RebalanceListener,
    Record,
    TopicPartition,
    TopicPartitionOffset,
)
from libs.common.bus.topics import TopicDeclaration, untraced_topics
from libs.common.clock import Clock, SystemClock
from libs.common.errors import BusUnavailable, CommitFenced
from libs.common.settings import BusSettings


@dataclass
class MemoryLog:
    """One partition."""

    start: int = 0
    records: deque[Record] = field(default_factory=deque)
    size: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def append(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.value)

    def drop_before(self, offset: int) -> None:
        while self.records and self.start < offset:
            self.size -= len(self.records.popleft().value)
            self.start += 1


@dataclass
class _Group:
    positions: dict[int, Position] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    leases: dict[int, tuple[str, float]] = field(default_factory=dict)
    members: dict[str, float] = field(default_factory=dict)


@dataclass
class _Topic:
    declaration: TopicDeclaration
    logs: list[MemoryLog]
    life: str
    groups: dict[str, _Group] = field(default_factory=dict)

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())


class _State:
    def __init__(self, clock: Clock, settings: BusSettings) -> None:
        self.clock = clock
        self.settings = settings
        self.away = False
        self.topics: dict[str, _Topic] = {}
        self.written = asyncio.Condition()
        # Across lives of a topic, so that no two owners have the same epoch.
        self.epochs = count(1)
        self.lives = count(1)
        self.members = count(1)

    def check(self) -> None:
        if self.away:
            raise BusUnavailable("The event bus does not answer. Retry later.")

    def topic(self, name: str) -> _Topic:
        self.check()
        if name not in self.topics:
            raise BusUnavailable(f"The event bus has no topic {name}; run the migration, which declares topics.")
        return self.topics[name]

    def log(self, partition: TopicPartition) -> MemoryLog:
        return self.topic(partition.topic).logs[partition.partition]

    def trim(self, topic: _Topic) -> None:
        """As on Redis Streams: what all groups have committed goes, then what retention gives up."""
        retention = topic.declaration.retention
        oldest_ms = self.clock.now_ns() // 1_000_000 - retention.hours * 3_600_000
        most = retention.bytes_per_partition
        if not topic.declaration.groups:
            most = min(most, self.settings.max_backlog_bytes // (2 * len(topic.logs)))
        for partition, log in enumerate(topic.logs):
            if topic.declaration.groups:
                positions = [topic.group(name).positions.get(partition) for name in topic.declaration.groups]
                log.drop_before(min(position.offset if position else 0 for position in positions))
            while log.records and (log.records[0].timestamp_ms < oldest_ms or log.size > most):
                log.drop_before(log.start + 1)


class MemoryBus:
    """Topics in memory, shared by the producers and consumers it opens."""

    def __init__(self, clock: Clock | None = None, settings: BusSettings | None = None) -> None:
        self.settings = settings or BusSettings()
        self._clock = clock or SystemClock()
        self._state = _State(self._clock, self.settings)

    @property
    def away(self) -> bool:
        return self._state.away

    @away.setter
    def away(self, away: bool) -> None:
        self._state.away = away

    async def ensure_topics(self, declarations: Iterable[TopicDeclaration]) -> None:
        """See libs.common.bus.ensure_topics. Topics have at most settings.partitions, as on Redis Streams."""
        self._state.check()
        for declaration in declarations:
            partitions = min(declaration.partitions, self.settings.partitions)
            if declaration.topic not in self._state.topics:
                self._state.topics[declaration.topic] = _Topic(declaration, [], f"life{next(self._state.lives)}")
            topic = self._state.topics[declaration.topic]
            topic.declaration = declaration
            topic.logs += [MemoryLog() for _ in range(partitions - len(topic.logs))]

    def recreate(self, topic: str, *, keep_commits: bool = False) -> None:
        """Delete a topic and make it again. `keep_commits` keeps what groups committed, which is of the life before.

        Kafka may do so, and there commits drop no records.
        """
        old = self._state.topics[topic]
        new = _Topic(old.declaration, [MemoryLog() for _ in old.logs], f"life{next(self._state.lives)}")
        if keep_commits:
            new.declaration = old.declaration.model_copy(update={"consumers": ()})
            for name, group in old.groups.items():
                new.groups[name] = _Group(positions=dict(group.positions))
        self._state.topics[topic] = new

    @asynccontextmanager
    async def open_producer(self, *, metrics: BusMetrics | None = None) -> AsyncIterator[Producer]:
        """See libs.common.bus.open_producer."""
        untraced = untraced_topics(topic.declaration for topic in self._state.topics.values())
        transport = _MemoryProducer(self._state)
        yield BusProducer(transport, self.settings, self._clock, metrics or unexported_metrics(), untraced=untraced)

    @asynccontextmanager
    async def open_consumer(
        self,
        group: str,
        topics: Collection[str],
        listener: RebalanceListener | None = None,
        *,
        metrics: BusMetrics | None = None,
    ) -> AsyncIterator[Consumer]:
        """See libs.common.bus.open_consumer."""
        metrics = metrics or unexported_metrics()
        counting = CountingListener(listener, group, metrics)
        store = _MemoryLogStore(self._state)
        member = f"member{next(self._state.members):08}"
        leased = LeasedConsumer(store, group, topics, counting, self.settings, self._clock, member=member)
        try:
            yield BusConsumer(leased, group, frozenset(topics), metrics)
        finally:
            await leased.close()

    def records(self, topic: str) -> list[Record]:
        """Everything kept, by partition and offset, for tests that only want to see what was sent."""
        return [record for log in self._state.topic(topic).logs for record in log.records]

    def log(self, partition: TopicPartition) -> MemoryLog:
        """One partition, for tests that need to lose records (`drop_before`)."""
        return self._state.log(partition)


class _MemoryProducer:
    def __init__(self, state: _State) -> None:
        self._state = state
        self._partitioner = Partitioner()
        self.in_flight = InFlightBytes(state.settings.max_in_flight_bytes)

    async def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers, partition: int | None
    ) -> TopicPartitionOffset:
        found = self._state.topic(topic)
        numbers = range(len(found.logs))
        if partition is None:
            partition = self._partitioner(key, numbers, numbers)
        elif partition not in numbers:
            raise ValueError(f"{topic} has no partition {partition}")
        async with self._state.written:
            if sum(log.size for log in found.logs) + len(value) > self._state.settings.max_backlog_bytes:
                self._state.trim(found)
                if sum(log.size for log in found.logs) + len(value) > self._state.settings.max_backlog_bytes:
                    raise BusUnavailable("The event bus is full: its readers are behind. Retry later.", retry_after=5)
            log = found.logs[partition]
            timestamp_ms = self._state.clock.now_ns() // 1_000_000
            record = Record(topic, partition, log.end, key, value, headers, timestamp_ms)
            log.append(record)
            self._state.trim(found)
            self._state.written.notify_all()
        return TopicPartitionOffset(topic, partition, record.offset)

    async def check(self) -> None:
        self._state.check()


class _MemoryLogStore:
    def __init__(self, state: _State) -> None:
        self._state = state

    async def heartbeat(self, topic: str, group: str, member: str, owned: Mapping[int, int]) -> Heartbeat:
        found = self._state.topic(topic)
        state = found.group(group)
        now = self._state.clock.monotonic()
        until = now + self._state.settings.session_timeout_seconds
        state.members = {name: end for name, end in state.members.items() if end > now} | {member: until}
        whole, rest = divmod(len(found.logs), len(state.members))
        share = whole + (sorted(state.members).index(member) < rest)
        lost = frozenset(p for p, epoch in owned.items() if state.epochs.get(p) != epoch)
        held = owned.keys() - lost
        for partition in held:
            state.leases[partition] = (member, until)
        taken: dict[int, int] = {}
        for partition in range(len(found.logs)):
            _, end = state.leases.get(partition, ("", now))
            if len(held) + len(taken) < share and end <= now:
                state.leases[partition] = (member, until)
                taken[partition] = state.epochs[partition] = next(self._state.epochs)
        return Heartbeat(share, lost, taken)

    async def release(self, topic: str, group: str, member: str, owned: Mapping[int, int], *, leaving: bool) -> None:
        state = self._state.topic(topic).group(group)
        for partition, epoch in owned.items():
            if state.epochs.get(partition) == epoch:
                state.leases.pop(partition, None)
        if leaving:
            state.members.pop(member, None)

    async def read(self, positions: Mapping[TopicPartition, int], max_bytes: int) -> dict[TopicPartition, Fetched]:
        self._state.check()
        found: dict[TopicPartition, Fetched] = {}
        left = max_bytes
        for index, (tp, offset) in enumerate(positions.items()):
            if left <= 0 and any(fetched.records for fetched in found.values()):
                break
            log, share, used = self._state.log(tp), left // (len(positions) - index), 0
            records: list[Record] = []
            if log.start <= offset:
                for record in islice(log.records, offset - log.start, None):
                    if records and used + len(record.value) > share:
                        break
                    records.append(record)
                    used += len(record.value)
            found[tp] = Fetched(log.start, log.end, records)
            left -= used
        return found

    async def wait(self, positions: Mapping[TopicPartition, int], timeout: float) -> None:
        self._state.check()

        async def arrival() -> None:
            async with self._state.written:
                await self._state.written.wait_for(
                    lambda: any(self._state.log(tp).end > offset for tp, offset in positions.items())
                )

        tasks = {asyncio.create_task(arrival()), asyncio.create_task(self._state.clock.sleep(timeout))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {tp: (self._state.log(tp).start, self._state.log(tp).end) for tp in partitions}

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        stored = {tp: self._state.topic(tp.topic).group(group).positions.get(tp.partition) for tp in partitions}
        return {tp: position for tp, position in stored.items() if position is not None}

    async def commit(self, group: str, positions: Mapping[TopicPartition, tuple[int, Position]]) -> None:
        for tp, (epoch, _) in positions.items():
            if self._state.topic(tp.topic).group(group).epochs.get(tp.partition) != epoch:
                raise CommitFenced(f"{tp.topic}/{tp.partition} has a new owner in group {group}")
        for tp, (_, position) in positions.items():
            topic = self._state.topic(tp.topic)
            topic.group(group).positions[tp.partition] = position
            self._state.trim(topic)

    async def life(self, topic: str) -> str:
        return self._state.topic(topic).life

    async def partition_count(self, topic: str) -> int:
        return len(self._state.topic(topic).logs)

    async def check(self) -> None:
        self._state.check()
