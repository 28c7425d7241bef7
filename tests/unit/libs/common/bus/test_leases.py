"""Leases by the clock: what the contract suite can only see in real time."""

from collections.abc import AsyncIterator

import pytest

from libs.common.bus import Consumer, Position, Producer, TopicPartition
from libs.common.bus.topics import load_declarations
from libs.common.errors import BusUnavailable, CommitFenced
from libs.common.settings import BusSettings
from libs.common.testing import FakeClock
from libs.common.testing.memory_bus import MemoryBus

TOPIC, GROUP = "telemetry.logs", "ingestion-writer"
ALL = frozenset(TopicPartition(TOPIC, number) for number in range(4))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def bus(clock: FakeClock) -> MemoryBus:
    bus = MemoryBus(clock, BusSettings(session_timeout_seconds=6, max_poll_interval_seconds=60))
    await bus.ensure_topics(load_declarations())
    return bus


@pytest.fixture
async def producer(bus: MemoryBus) -> AsyncIterator[Producer]:
    async with bus.open_producer() as producer:
        yield producer


async def poll(consumer: Consumer) -> list[bytes]:
    return [record.value for batch in (await consumer.poll(max_bytes=10**6, timeout=0)).values() for record in batch]


async def test_a_member_that_works_for_long_keeps_its_leases(bus: MemoryBus, clock: FakeClock) -> None:
    async with bus.open_consumer(GROUP, [TOPIC]) as busy, bus.open_consumer(GROUP, [TOPIC]) as other:
        await poll(busy)
        for _ in range(10):
            await clock.advance(5)  # 50 s without a poll; the heartbeat goes on
        await poll(other)
        assert other.assignment() == frozenset(), "it is due two, which only the busy one can give back"
        await busy.commit({tp: Position(0) for tp in ALL})
        await clock.advance(2)
        await poll(busy)
        assert len(busy.assignment()) == 2
        await clock.advance(0.3)
        await poll(other)
        assert busy.assignment() | other.assignment() == ALL


async def test_one_that_never_polls_again_loses_its_leases(bus: MemoryBus, clock: FakeClock) -> None:
    async with bus.open_consumer(GROUP, [TOPIC]) as stuck, bus.open_consumer(GROUP, [TOPIC]) as other:
        await poll(stuck)
        await clock.advance(61)
        await clock.advance(6)
        await poll(other)
        assert other.assignment() == ALL
        with pytest.raises(CommitFenced):
            await stuck.commit({tp: Position(0) for tp in ALL})
        await poll(stuck)
        assert stuck.assignment() == frozenset()


async def test_one_that_was_away_and_missed_by_nobody_goes_on(
    bus: MemoryBus, producer: Producer, clock: FakeClock
) -> None:
    await producer.send(TOPIC, b"one", partition=0)
    async with bus.open_consumer(GROUP, [TOPIC]) as consumer:
        assert await poll(consumer) == [b"one"]
        bus.away = True
        for _ in range(10):
            await clock.advance(5)
            assert await poll(consumer) == []
        with pytest.raises(BusUnavailable):
            await consumer.commit({TopicPartition(TOPIC, 0): Position(1)})
        bus.away = False
        await consumer.commit({TopicPartition(TOPIC, 0): Position(1)})
        await clock.advance(1)
        assert await poll(consumer) == []
        assert consumer.assignment() == ALL


async def test_shares_follow_the_number_of_members(bus: MemoryBus, clock: FakeClock) -> None:
    async def settle(*members: Consumer) -> list[int]:
        for _ in range(12):
            for member in members:
                await poll(member)
            await clock.advance(1)
        held = [member.assignment() for member in members]
        assert frozenset().union(*held) == ALL
        assert sum(map(len, held)) == 4
        return sorted(map(len, held))

    async with bus.open_consumer(GROUP, [TOPIC]) as one:
        assert await settle(one) == [4]
        async with bus.open_consumer(GROUP, [TOPIC]) as two:
            assert await settle(one, two) == [2, 2]
            async with bus.open_consumer(GROUP, [TOPIC]) as three:
                assert await settle(one, two, three) == [1, 1, 2]
                async with bus.open_consumer(GROUP, [TOPIC]) as four, bus.open_consumer(GROUP, [TOPIC]) as five:
                    assert await settle(one, two, three, four, five) == [0, 1, 1, 1, 1]
            assert await settle(one, two) == [2, 2]
        assert await settle(one) == [4]


async def test_close_gives_back_also_when_the_listener_fails(bus: MemoryBus) -> None:
    class Failing:
        async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
            assert partitions == ALL

        async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
            raise RuntimeError("cannot flush")

        async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
            raise AssertionError

    with pytest.raises(RuntimeError, match="cannot flush"):
        async with bus.open_consumer(GROUP, [TOPIC], Failing()) as consumer:
            await poll(consumer)
    async with bus.open_consumer(GROUP, [TOPIC]) as successor:
        await poll(successor)
        assert successor.assignment() == ALL


async def test_a_gap_whose_listener_fails_costs_no_record(bus: MemoryBus, producer: Producer) -> None:
    class Failing:
        failed = False

        async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None: ...

        async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None: ...

        async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
            self.failed = True
            raise RuntimeError("cannot book the gap")

    for number in range(8):
        await producer.send(TOPIC, b"%d" % number, partition=number % 2)
    listener = Failing()
    async with bus.open_consumer(GROUP, [TOPIC], listener) as consumer:
        await poll(consumer)
        await consumer.commit({tp: Position(0) for tp in ALL})
    bus.log(TopicPartition(TOPIC, 1)).drop_before(2)
    async with bus.open_consumer(GROUP, [TOPIC], listener) as consumer:
        with pytest.raises(RuntimeError, match="book the gap"):
            await poll(consumer)
        assert listener.failed
        assert sorted(await poll(consumer)) == [b"0", b"2", b"4", b"5", b"6", b"7"]


async def test_retention_by_time(bus: MemoryBus, producer: Producer, clock: FakeClock) -> None:
    await producer.send(TOPIC, b"old", partition=0)
    await clock.advance(25 * 3600)
    await producer.send(TOPIC, b"new", partition=0)
    async with bus.open_consumer("another-group", [TOPIC]) as consumer:
        assert await poll(consumer) == [b"new"]


async def test_what_the_group_of_the_contract_has_committed_is_dropped(bus: MemoryBus, producer: Producer) -> None:
    for number in range(3):
        await producer.send(TOPIC, b"%d" % number, partition=0)
    tp = TopicPartition(TOPIC, 0)
    async with bus.open_consumer("another-group", [TOPIC]) as consumer:
        await poll(consumer)
        await consumer.commit({tp: Position(3)})
        assert len(bus.records(TOPIC)) == 3
    async with bus.open_consumer(GROUP, [TOPIC]) as consumer:
        await poll(consumer)
        await consumer.commit({tp: Position(2)})
    assert [record.value for record in bus.records(TOPIC)] == [b"2"]
