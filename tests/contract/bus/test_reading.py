"""What a consumer promises about records and positions."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from libs.common.bus import BusMetrics, Position, Producer, TopicPartition
from libs.common.errors import CommitFenced
from libs.common.metrics import sample_value
from tests.contract.bus.harness import Recorder, Transport, declaration, group, poll_until, read


async def send_all(producer: Producer, topic: str, count: int, *, size: int = 10, partition: int = 0) -> None:
    await asyncio.gather(*(producer.send(topic, (b"%d " % n).ljust(size), partition=partition) for n in range(count)))


async def test_groups_read_independently(bus: Transport) -> None:
    topic = declaration()
    await bus.ensure(topic)
    async with (
        bus.producer() as producer,
        bus.consumer(group(), topic.topic) as one,
        bus.consumer(group(), topic.topic) as other,
    ):
        for partition in range(4):
            await send_all(producer, topic.topic, 5, partition=partition)
        assert len(await read(one, 20)) == 20
        assert len(await read(other, 20)) == 20


async def test_poll_waits_for_the_first_record_and_no_longer(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    loop = asyncio.get_running_loop()
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        await poll_until(lambda: len(consumer.assignment()) == 1, consumer)
        started = loop.time()
        assert await consumer.poll(max_bytes=1000, timeout=0.5) == {}
        assert 0.4 < loop.time() - started < 1.5
        polling = asyncio.create_task(consumer.poll(max_bytes=1000, timeout=20))
        await asyncio.sleep(0.2)
        started = loop.time()
        await producer.send(topic.topic, b"now")
        assert [record.value for record in (await polling)[TopicPartition(topic.topic, 0)]] == [b"now"]
        assert loop.time() - started < 1.5
        assert await consumer.poll(max_bytes=1000, timeout=0) == {}


@pytest.mark.parametrize("compression", ["lz4", "none"])
async def test_poll_stops_near_its_budget_and_shares_it(make_bus: Callable[..., Transport], compression: str) -> None:
    bus = make_bus(compression=compression)
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    me = group()
    async with bus.producer() as producer, bus.consumer(me, topic.topic) as consumer:
        for partition in range(2):
            await send_all(producer, topic.topic, 50, size=10_000, partition=partition)
        await poll_until(lambda: len(consumer.assignment()) == 2, consumer)
    async with bus.consumer(me, topic.topic) as consumer:
        records = []
        largest = 0
        async with asyncio.timeout(20):
            while len(records) < 100:
                found = await consumer.poll(max_bytes=100_000, timeout=1)
                largest = max(largest, sum(len(record.value) for batch in found.values() for record in batch))
                records += [record for batch in found.values() for record in batch]
        assert largest <= 120_000
        assert sorted((record.partition, record.offset) for record in records) == [
            (p, n) for p in range(2) for n in range(50)
        ]


async def test_a_record_larger_than_the_budget_comes_alone(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        await send_all(producer, topic.topic, 3, size=500_000)
        sizes = []
        async with asyncio.timeout(20):
            while sum(sizes) < 3:
                found = await consumer.poll(max_bytes=1, timeout=1)
                sizes += [len(batch) for batch in found.values()]
        assert sizes == [1, 1, 1]


async def test_reading_goes_on_at_the_committed_position(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    metadata = '{"intent": [0, 4, "ünïcode"]}'.ljust(4094)
    async with bus.producer() as producer:
        await send_all(producer, topic.topic, 10)
        async with bus.consumer(me, topic.topic) as consumer:
            assert len(await read(consumer, 10)) == 10
            assert await consumer.committed(tp) is None
            await consumer.commit({tp: Position(3)})
            assert await consumer.committed(tp) == Position(3)
            await consumer.commit({tp: Position(4, metadata)})
            assert await consumer.committed(tp) == Position(4, metadata)
            assert await consumer.lag() == {tp: 6}
            assert await consumer.poll(max_bytes=1000, timeout=0) == {}
        async with bus.consumer(me, topic.topic) as consumer:
            assert await consumer.committed(tp) == Position(4, metadata)
            assert [record.offset for record in await read(consumer, 6)] == list(range(4, 10))
            await consumer.commit({tp: Position(10)})
            assert await consumer.committed(tp) == Position(10, "")
            assert await consumer.lag() == {tp: 0}


def test_positions_that_no_bus_takes_cannot_be_made() -> None:
    Position(0, "ü" * 2048)
    with pytest.raises(ValueError, match="4096 bytes"):
        Position(0, "ü" * 2048 + "x")
    with pytest.raises(ValueError, match="negative"):
        Position(-1)


async def test_commit_of_a_partition_that_is_not_ours_is_fenced(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    async with bus.producer() as producer, bus.consumer(me, topic.topic) as consumer:
        await producer.send(topic.topic, b"v")
        with pytest.raises(CommitFenced):
            await consumer.commit({tp: Position(1)})
        await read(consumer, 1)
        await consumer.commit({})
        await consumer.commit({tp: Position(1)})
        with pytest.raises(CommitFenced):
            await consumer.commit({tp: Position(0), TopicPartition(topic.topic, 7): Position(0)})
        assert await consumer.committed(tp) == Position(1)


async def test_seek_pause_and_resume(bus: Transport) -> None:
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    one, other = TopicPartition(topic.topic, 0), TopicPartition(topic.topic, 1)
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        await send_all(producer, topic.topic, 6, partition=0)
        await send_all(producer, topic.topic, 6, partition=1)
        assert len(await read(consumer, 12)) == 12
        await consumer.seek(one, 2)
        assert [(r.partition, r.offset) for r in await read(consumer, 4)] == [(0, 2), (0, 3), (0, 4), (0, 5)]

        await consumer.pause(one)
        await consumer.seek(one, 0)
        await consumer.seek(other, 5)
        assert [(r.partition, r.offset) for r in await read(consumer, 7, patience=1.5)] == [(1, 5)]
        await consumer.resume(one)
        assert [(r.partition, r.offset) for r in await read(consumer, 6)] == [(0, n) for n in range(6)]
        with pytest.raises(ValueError, match="not assigned"):
            await consumer.seek(TopicPartition(topic.topic, 9), 0)


async def test_lost_records_are_told_and_reading_goes_on(bus: Transport) -> None:
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    listener, registry = Recorder(), CollectorRegistry()
    async with bus.producer() as producer:
        await send_all(producer, topic.topic, 10)
        async with bus.consumer(me, topic.topic) as consumer:
            assert len(await read(consumer, 10)) == 10
            await consumer.commit({tp: Position(2)})
        await bus.lose_before(tp, 7)
        async with bus.consumer(me, topic.topic, listener=listener, metrics=BusMetrics(registry)) as consumer:
            assert [record.offset for record in await read(consumer, 3)] == [7, 8, 9]
            assert await consumer.lag() == {tp: 3, TopicPartition(topic.topic, 1): 0}
            assert listener.gaps == [(tp, 2, 7)]
            # And in the middle of reading, with nothing left.
            await send_all(producer, topic.topic, 5)
            assert len(await read(consumer, 5)) == 5
            await bus.lose_before(tp, 15)
            await consumer.seek(tp, 8)
            assert await read(consumer, 1, patience=2.5) == []
            assert listener.gaps == [(tp, 2, 7), (tp, 8, 15)]
            await send_all(producer, topic.topic, 1)
            assert [record.offset for record in await read(consumer, 1)] == [15]
    assert sample_value(registry, "airis_bus_gap_records_total", topic=topic.topic, group=me) == 12


async def test_position_beyond_the_end_starts_over(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    tp, listener = TopicPartition(topic.topic, 0), Recorder()
    async with bus.producer() as producer, bus.consumer(group(), topic.topic, listener=listener) as consumer:
        await send_all(producer, topic.topic, 3)
        assert len(await read(consumer, 3)) == 3
        await consumer.seek(tp, 100)
        assert [record.offset for record in await read(consumer, 3)] == [0, 1, 2]
    assert listener.gaps == [(tp, 100, 0)]


async def test_cancelled_poll_loses_nothing(bus: Transport) -> None:
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    records = []
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:

        async def produce() -> None:
            for n in range(200):
                await producer.send(topic.topic, b"%d" % n, partition=n % 2)

        producing = asyncio.create_task(produce())
        async with asyncio.timeout(30):
            while len(records) < 200:
                polling = asyncio.create_task(consumer.poll(max_bytes=50, timeout=1))
                await asyncio.sleep(0.003)
                polling.cancel()
                for result in await asyncio.gather(polling, return_exceptions=True):
                    if isinstance(result, dict):
                        records += [record for batch in result.values() for record in batch]
                if len(records) < 200 and producing.done():
                    records += await read(consumer, 1, patience=0.3)
        await producing
    assert sorted(int(record.value) for record in records) == list(range(200))


async def test_consumer_waits_for_its_topic(bus: Transport) -> None:
    topic = declaration(partitions=1)
    async with bus.consumer(group(), topic.topic) as consumer:
        assert await consumer.poll(max_bytes=1000, timeout=0.5) == {}
        await bus.ensure(topic)
        async with bus.producer() as producer:
            await producer.send(topic.topic, b"v")
            assert [record.value for record in await read(consumer, 1)] == [b"v"]
