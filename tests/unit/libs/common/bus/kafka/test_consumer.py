"""What a coordinator that cannot answer yet must not be mistaken for: a group that has committed nothing."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import NoOffsetForPartitionError
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from libs.common.bus import Position, TopicPartition
from libs.common.bus.kafka.consumer import KafkaConsumer
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings
from libs.common.testing import FakeClock
from tests.contract.bus.harness import Recorder

ZERO, ONE = TopicPartition("topic", 0), TopicPartition("topic", 1)
Offsets = Mapping[KafkaPartition, OffsetAndMetadata]
COMMITTED: Offsets = {
    KafkaPartition("topic", 0): OffsetAndMetadata(7, "intent"),
    KafkaPartition("topic", 1): OffsetAndMetadata(-1, ""),
}


class Admin:
    """Gives the answers in turn, the last one again and again."""

    def __init__(self, *answers: Offsets) -> None:
        self.answers = list(answers)

    async def list_consumer_group_offsets(self, group: str, *, partitions: list[KafkaPartition]) -> Offsets:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {tp: position for tp, position in answer.items() if tp in partitions}


class Kafka:
    """An AIOKafkaConsumer that finds no committed offset at first. Each fetch takes a second."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.positions: dict[KafkaPartition, int] = {}

    async def getmany(self, *partitions: KafkaPartition, **_: Any) -> dict[KafkaPartition, list[Any]]:
        self.clock.move(1)
        if missing := [tp for tp in partitions if tp not in self.positions]:
            raise NoOffsetForPartitionError(*missing)
        return {}

    def seek(self, partition: KafkaPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def seek_to_beginning(self, *partitions: KafkaPartition) -> None:
        self.positions |= dict.fromkeys(partitions, 0)


def consumer(clock: FakeClock, admin: Admin) -> KafkaConsumer:
    settings = BusSettings(url="kafka://127.0.0.1:1", timeout_seconds=0.1)
    made = KafkaConsumer(settings, "group", ["topic"], Recorder(), clock)
    made._admin = admin
    return made


async def test_an_answer_without_the_partition_is_asked_again() -> None:
    clock = FakeClock()
    asking = asyncio.create_task(consumer(clock, Admin({}, {}, COMMITTED)).committed(ZERO))
    for _ in range(2):
        await clock.advance(0.25)
    assert await asking == Position(7, "intent")


async def test_a_coordinator_that_never_answers_is_a_bus_that_is_away() -> None:
    with pytest.raises(BusUnavailable):
        await consumer(FakeClock(), Admin({})).committed(ZERO)


async def test_a_group_that_committed_nothing_says_so() -> None:
    assert await consumer(FakeClock(), Admin(COMMITTED)).committed(ONE) is None


async def test_reading_begins_at_the_beginning_only_where_nothing_was_committed() -> None:
    clock = FakeClock()
    reader, kafka = consumer(clock, Admin(COMMITTED)), Kafka(clock)
    reader._kafka = kafka
    reader._owned = {ZERO, ONE}
    assert await reader.poll(max_bytes=1000, timeout=2) == {}
    assert kafka.positions == {KafkaPartition("topic", 0): 7, KafkaPartition("topic", 1): 0}
