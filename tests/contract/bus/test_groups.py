"""What members of a group promise each other."""

import asyncio

import pytest

from libs.common.bus import Consumer, Position, TopicPartition
from libs.common.errors import BusUnavailable, CommitFenced
from tests.contract.bus.harness import Recorder, Transport, declaration, group, poll_until, read, several


def partitions(topic: str, count: int) -> frozenset[TopicPartition]:
    return frozenset(TopicPartition(topic, number) for number in range(count))


async def test_members_share_the_partitions(bus: Transport) -> None:
    topic = declaration(partitions=5)
    await bus.ensure(topic)
    me = group()
    everything = partitions(topic.topic, 5 if bus.name == "kafka" else 4)
    async with several(*(bus.consumer(me, topic.topic) for _ in range(3))) as consumers:

        def settled() -> bool:
            held = [consumer.assignment() for consumer in consumers]
            return frozenset().union(*held) == everything and sum(map(len, held)) == len(everything) and all(held)

        await poll_until(settled, *consumers)
        sizes = sorted(len(consumer.assignment()) for consumer in consumers)
        assert max(sizes) - min(sizes) <= 1
        for number in range(3):
            assert sizes[number] >= 1


async def test_more_members_than_partitions(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    me = group()
    async with several(*(bus.consumer(me, topic.topic) for _ in range(2))) as consumers:
        await poll_until(lambda: any(consumer.assignment() for consumer in consumers), *consumers)
        idle = [consumer for consumer in consumers if not consumer.assignment()]
        assert len(idle) == 1
        assert await idle[0].poll(max_bytes=1000, timeout=0.5) == {}


async def test_joining_takes_its_share_and_nothing_is_read_twice_after_a_commit(bus: Transport) -> None:
    topic = declaration(partitions=4)
    await bus.ensure(topic)
    me, everything = group(), partitions(topic.topic, 4)
    seen: list[tuple[int, int]] = []
    positions: dict[TopicPartition, int] = {}
    listener = Recorder()
    async with bus.producer() as producer, bus.consumer(me, topic.topic, listener=listener) as first:

        async def commit(going: frozenset[TopicPartition]) -> None:
            await first.commit({tp: Position(positions[tp], "revoked") for tp in going if tp in positions})

        listener.on_revoke = commit
        for number in range(40):
            await producer.send(topic.topic, b"%d" % number, partition=number % 4)
        for record in await read(first, 40):
            seen.append((record.partition, record.offset))
            positions[TopicPartition(topic.topic, record.partition)] = record.offset + 1
        assert listener.events == [("assigned", everything)]
        async with bus.consumer(me, topic.topic) as second:
            records = await poll_until(lambda: len(first.assignment()) == len(second.assignment()) == 2, first, second)
            assert first.assignment() | second.assignment() == everything
            assert [await second.committed(tp) for tp in second.assignment()] == [Position(10, "revoked")] * 2
            for number in range(40):
                await producer.send(topic.topic, b"%d" % number, partition=number % 4)
            while len(records) < 40:
                records += await read(first, 1, patience=0.5)
                records += await read(second, 1, patience=0.5)
        seen += [(record.partition, record.offset) for record in records]
        revoked = [tps for event, tps in listener.events if event == "revoked"]
        assert revoked
        assert second.assignment() == frozenset()
    assert sorted(seen) == [(partition, offset) for partition in range(4) for offset in range(20)]


async def test_leaving_hands_over_at_once(bus: Transport) -> None:
    topic = declaration(partitions=4)
    await bus.ensure(topic)
    me, everything = group(), partitions(topic.topic, 4)
    listener = Recorder()
    async with bus.consumer(me, topic.topic) as stays:
        async with bus.consumer(me, topic.topic, listener=listener) as leaves:

            async def commit(going: frozenset[TopicPartition]) -> None:
                await leaves.commit({tp: Position(0, "bye") for tp in going})

            await poll_until(lambda: len(stays.assignment()) == len(leaves.assignment()) == 2, stays, leaves)
            held = leaves.assignment()
            listener.on_revoke = commit
        assert listener.events[-1] == ("revoked", held)
        started = asyncio.get_running_loop().time()
        await poll_until(lambda: stays.assignment() == everything, stays)
        assert asyncio.get_running_loop().time() - started < bus.settings.session_timeout_seconds
        assert [await stays.committed(tp) for tp in held] == [Position(0, "bye")] * 2


async def test_listener_may_seek_and_read_positions_when_assigned(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    found: list[Position | None] = []
    listener = Recorder()
    async with bus.producer() as producer:
        for number in range(5):
            await producer.send(topic.topic, b"%d" % number)
        async with bus.consumer(me, topic.topic) as consumer:
            await read(consumer, 5)
            await consumer.commit({tp: Position(4, "replay from 1")})
        async with bus.consumer(me, topic.topic, listener=listener) as consumer:

            async def replay(coming: frozenset[TopicPartition]) -> None:
                for partition in coming:
                    found.append(await consumer.committed(partition))
                    await consumer.seek(partition, 1)

            listener.on_assign = replay
            assert [record.offset for record in await read(consumer, 4)] == [1, 2, 3, 4]
    assert found == [Position(4, "replay from 1")]


@pytest.mark.parametrize("error", [RuntimeError("listener"), BusUnavailable("listener")])
async def test_a_failing_listener_is_heard(bus: Transport, error: Exception) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    listener = Recorder()

    async def fail(_: frozenset[TopicPartition]) -> None:
        raise error

    listener.on_assign = fail
    async with bus.producer() as producer, bus.consumer(group(), topic.topic, listener=listener) as consumer:
        await producer.send(topic.topic, b"v")
        with pytest.raises(type(error), match="listener"):
            await read(consumer, 1)
        assert [record.value for record in await read(consumer, 1)] == [b"v"]


async def test_one_that_stopped_polling_loses_its_partitions_and_cannot_commit(bus: Transport) -> None:
    bus.settings = bus.settings.model_copy(update={"max_poll_interval_seconds": 1.0})
    if bus.name == "memory":
        bus._bus.settings = bus._bus._state.settings = bus.settings
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    listener = Recorder()
    async with bus.producer() as producer, bus.consumer(me, topic.topic, listener=listener) as stuck:
        await producer.send(topic.topic, b"v")
        assert len(await read(stuck, 1)) == 1
        async with bus.consumer(me, topic.topic) as successor:
            assert [record.value for record in await read(successor, 1)] == [b"v"]
            assert listener.events == [("assigned", frozenset({tp}))]
            await successor.commit({tp: Position(1, "successor")})
            with pytest.raises(CommitFenced):
                await stuck.commit({tp: Position(1, "stuck")})
            assert await successor.committed(tp) == Position(1, "successor")

            async def commit(going: frozenset[TopicPartition]) -> None:
                with pytest.raises(CommitFenced):
                    await stuck.commit({tp: Position(0, "stuck") for tp in going})

            listener.on_revoke = commit
            await poll_until(lambda: listener.events[-1][0] == "revoked" or len(listener.events) > 2, stuck, successor)
            assert await holder(stuck, successor).committed(tp) == Position(1, "successor")


def holder(*consumers: Consumer) -> Consumer:
    return next((consumer for consumer in consumers if consumer.assignment()), consumers[0])
