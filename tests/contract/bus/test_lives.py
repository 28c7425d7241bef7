"""A topic that begins anew: offsets start at 0 again, and the bus says that they are others."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

import pytest

from libs.common.bus.protocol import Consumer, Position, TopicPartition
from libs.common.errors import BusUnavailable, CommitFenced
from tests.contract.bus.harness import PATIENCE, Recorder, Transport, declaration, group, poll_until, read, several

pytestmark = pytest.mark.timeout(120)


async def life(consumer: Consumer, topic: str) -> str:
    """A Kafka broker that has just made a topic may not know it for a moment."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(BusUnavailable):
                return await consumer.life(TopicPartition(topic, 0))
            await asyncio.sleep(0.1)


async def test_a_topic_keeps_its_life_until_it_is_made_again(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    async with bus.consumer(group(), topic.topic) as consumer:
        first = await life(consumer, topic.topic)
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", first)
        async with bus.producer() as producer:
            await producer.send(topic.topic, b"v")
        await bus.ensure(topic.model_copy(update={"partitions": 2}))
        assert await life(consumer, topic.topic) == first
    await bus.make_again(topic)
    async with bus.consumer(group(), topic.topic) as consumer, bus.producer() as producer:
        second = await life(consumer, topic.topic)
        assert second != first
        where = await producer.send(topic.topic, b"again")
        assert where.offset == 0
        assert [record.value for record in await read(consumer, 1)] == [b"again"]


async def test_the_life_of_a_topic_that_is_not_there(bus: Transport) -> None:
    async with bus.consumer(group(), "test.nothing") as consumer:
        with pytest.raises(BusUnavailable):
            await consumer.life(TopicPartition("test.nothing", 0))


async def test_an_owner_from_the_life_before_cannot_commit_over_its_successor(bus: Transport) -> None:
    if bus.name == "kafka":
        pytest.skip("a Kafka group outlives its topics; generations fence it as ever")
    topic, readers, recorder = declaration(partitions=1), group(), Recorder()
    await bus.ensure(topic)
    first, second = (bus.consumer(readers, topic.topic, listener=recorder) for _ in range(2))
    async with several(first) as (old,):
        await poll_until(lambda: bool(recorder.events), old)
        await bus.make_again(topic)
        async with several(second) as (new,):
            await poll_until(lambda: bool(new.assignment()), new)
            with pytest.raises(CommitFenced):
                await old.commit({TopicPartition(topic.topic, 0): Position(1)})
            await new.commit({TopicPartition(topic.topic, 0): Position(0, "mine")})


async def test_a_poll_keeps_to_its_budget_however_many_partitions_have_records(
    make_bus: Callable[..., Transport],
) -> None:
    bus = make_bus(partitions=8)
    topic = declaration(partitions=8)
    await bus.ensure(topic)
    async with bus.producer() as producer:
        for partition in range(8):
            for _ in range(4):
                await producer.send(topic.topic, bytes(10_000), partition=partition)
    async with bus.consumer(group(), topic.topic) as consumer:
        seen: set[int] = set()
        left = 32
        while left:
            found = await consumer.poll(max_bytes=15_000, timeout=1.0)
            size = sum(len(record.value) for records in found.values() for record in records)
            assert size <= 25_000
            left -= size // 10_000
            seen |= {tp.partition for tp in found}
        assert seen == set(range(8))
