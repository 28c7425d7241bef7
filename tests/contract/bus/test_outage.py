"""What holds while the bus is away and after it came back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from libs.common.bus import Position, TopicPartition
from libs.common.errors import BusUnavailable, CommitFenced
from tests.contract.bus.harness import Transport, declaration, group, read

pytestmark = pytest.mark.timeout(180)


async def test_everything_says_so_while_the_bus_is_away_and_works_again_after(
    make_bus: Callable[..., Transport],
) -> None:
    bus = make_bus(timeout_seconds=3.0)
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    me, tp = group(), TopicPartition(topic.topic, 0)
    acked: list[bytes] = []
    async with bus.producer() as producer, bus.consumer(me, topic.topic) as consumer:
        for number in range(10):
            await producer.send(topic.topic, b"before %d" % number, partition=0)
            acked.append(b"before %d" % number)
        read_before = await read(consumer, 5)
        await consumer.commit({tp: Position(5, "half")})
        await producer.check()
        await consumer.check()

        await bus.go_away()
        started = asyncio.get_running_loop().time()
        results = await asyncio.gather(
            *(producer.send(topic.topic, b"during %d" % number, partition=0) for number in range(20)),
            return_exceptions=True,
        )
        assert all(isinstance(result, BusUnavailable) and result.retry_after for result in results)
        assert asyncio.get_running_loop().time() - started < 4.5
        for call in (producer.check, consumer.check):
            with pytest.raises(BusUnavailable):
                await call()
        with pytest.raises(BusUnavailable):
            await consumer.commit({tp: Position(6)})
        with pytest.raises(BusUnavailable):
            await consumer.committed(tp)
        read_before += [
            record for batch in (await consumer.poll(max_bytes=2**20, timeout=1)).values() for record in batch
        ]

        await bus.come_back()
        for number in range(10):
            await send_patiently(producer.send(topic.topic, b"after %d" % number, partition=0) for _ in range(20))
            acked.append(b"after %d" % number)
        # A member that was away for longer than its session reads again from what it has committed.
        log = {record.offset: record.value for record in read_before}
        while b"after 9" not in log.values():
            batch = await read(consumer, 1)
            assert batch
            log |= {record.offset: record.value for record in batch}
        assert await consumer.committed(tp) == Position(5, "half")
        while await consumer.committed(tp) != Position(len(log), "all"):
            with suppress(CommitFenced):  # a rebalance may be under way
                await consumer.commit({tp: Position(len(log), "all")})
            await consumer.poll(max_bytes=2**20, timeout=0.5)
        await producer.check()
        await consumer.check()
    assert sorted(log) == list(range(len(log)))
    values = [log[offset] for offset in sorted(log)]
    assert [value for value in values if not value.startswith(b"during")] == acked
    assert len(values) == len(set(values))


async def send_patiently(attempts: object) -> None:
    """The first attempts may still meet a bus that is coming up."""
    for attempt in attempts:
        try:
            await attempt
        except BusUnavailable:
            await asyncio.sleep(0.5)
        else:
            return
    pytest.fail("the bus did not come back")


async def test_a_service_starts_and_stops_while_the_bus_is_away(make_bus: Callable[..., Transport]) -> None:
    bus = make_bus(timeout_seconds=2.0)
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    await bus.go_away()
    try:
        async with asyncio.timeout(30), bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
            with pytest.raises(BusUnavailable):
                await producer.send(topic.topic, b"v")
            assert await consumer.poll(max_bytes=1000, timeout=0.3) == {}
            with pytest.raises(BusUnavailable):
                await producer.check()
            with pytest.raises(BusUnavailable):
                await bus.ensure(topic)
    finally:
        await bus.come_back()


async def test_stopping_while_the_bus_is_away_takes_no_longer_than_the_timeout(
    make_bus: Callable[..., Transport],
) -> None:
    bus = make_bus(timeout_seconds=2.0)
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(40):
            async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
                await producer.send(topic.topic, b"v")
                assert len(await read(consumer, 1)) == 1
                await bus.go_away()
                sending = asyncio.create_task(producer.send(topic.topic, b"v"))
                await asyncio.sleep(0.1)
                started = loop.time()
            assert loop.time() - started < 12
            with pytest.raises(BusUnavailable):
                await sending
            deadline = loop.time() + 10
            while (left := asyncio.all_tasks() - {asyncio.current_task()}) and loop.time() < deadline:
                await asyncio.sleep(0.05)
            assert not left
    finally:
        await bus.come_back()
