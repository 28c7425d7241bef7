"""A Kafka cluster that loses brokers."""

import asyncio

import pytest

from libs.common import bus
from libs.common.clock import SystemClock
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings
from tests.contract.bus.harness import declaration, group
from tests.fixtures.kafka import KafkaCluster
from tests.integration.libs.common.bus.load import load, read_everything

pytestmark = pytest.mark.timeout(240)
CLOCK = SystemClock()


async def test_a_broker_killed_under_load_takes_nothing_with_it(three_brokers: KafkaCluster) -> None:
    config = BusSettings(url=three_brokers.url, replication=3, timeout_seconds=20.0)
    topic = declaration(partitions=6)
    await bus.ensure_topics(config, [topic])
    async with bus.open_producer(config, CLOCK) as producer:
        await producer.send(topic.topic, b"warm", partition=0)
        async with load(producer, topic.topic, senders=16, size=20_000) as history:
            history.acked[b"warm"] = (0, 0)
            await asyncio.sleep(2)
            three_brokers.brokers[1].kill()
            before = len(history.acked)
            await asyncio.sleep(10)
        after = len(history.acked) - before
    assert after > 500, "sending goes on without the broker"
    assert not history.unknown, "a fail-over is shorter than the timeout"
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        history.check(await read_everything(consumer, quiet=3))


async def test_nothing_is_confirmed_without_a_majority(three_brokers: KafkaCluster) -> None:
    config = BusSettings(url=three_brokers.url, replication=3, timeout_seconds=3.0)
    topic = declaration(partitions=3)
    await bus.ensure_topics(config, [topic])
    async with bus.open_producer(config, CLOCK) as producer:
        await producer.send(topic.topic, b"v")
        for broker in three_brokers.brokers[1:]:
            broker.kill()
        results = await asyncio.gather(
            *(producer.send(topic.topic, b"lonely", partition=number) for number in range(3)), return_exceptions=True
        )
    assert all(isinstance(result, BusUnavailable) for result in results)
