"""What a coordinator that cannot answer yet must not be mistaken for: a group that has committed nothing."""

import asyncio
from collections.abc import Mapping

import pytest
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
