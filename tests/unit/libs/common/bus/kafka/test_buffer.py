from aiokafka.structs import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition

from libs.common.bus.kafka.buffer import FetchBuffer
from libs.common.bus.protocol import TopicPartition

ONE, OTHER = TopicPartition("topic", 0), TopicPartition("topic", 1)


def fetched(partition: int, offsets: range, size: int) -> dict[KafkaPartition, list[ConsumerRecord]]:
    return {
        KafkaPartition("topic", partition): [
            ConsumerRecord("topic", partition, offset, 0, 0, None, bytes(size), None, 0, size, ()) for offset in offsets
        ]
    }


def taken(buffer: FetchBuffer, max_bytes: int) -> dict[TopicPartition, list[int]]:
    return {tp: [record.offset for record in records] for tp, records in buffer.take(max_bytes).items()}


def test_budget_is_shared_and_what_one_leaves_is_for_the_next() -> None:
    buffer = FetchBuffer()
    buffer.add(fetched(0, range(1), 100) | fetched(1, range(9), 100))
    assert taken(buffer, 600) == {ONE: [0], OTHER: [0, 1, 2, 3, 4]}
    buffer.add(fetched(0, range(1, 5), 100))
    assert taken(buffer, 400) == {OTHER: [5, 6], ONE: [1, 2]}
    assert taken(buffer, 1) == {OTHER: [7]}, "a budget that is spent goes to nobody else"
    assert taken(buffer, 1) == {ONE: [3]}


def test_paused_partitions_keep_theirs() -> None:
    buffer = FetchBuffer()
    buffer.add(fetched(0, range(2), 10) | fetched(1, range(2), 10))
    buffer.paused.add(ONE)
    assert taken(buffer, 1000) == {OTHER: [0, 1]}
    buffer.add(fetched(0, range(2, 3), 10))
    buffer.paused.discard(ONE)
    assert taken(buffer, 1000) == {ONE: [0, 1, 2]}
    assert taken(buffer, 1000) == {}


def test_what_is_not_ours_is_forgotten_with_its_pause() -> None:
    buffer = FetchBuffer()
    buffer.add(fetched(0, range(2), 10))
    buffer.paused.add(ONE)
    buffer.forget([ONE])
    buffer.add(fetched(0, range(5, 6), 10))
    assert taken(buffer, 1000) == {ONE: [5]}


def test_fetches_follow_the_size_of_records() -> None:
    buffer = FetchBuffer()
    assert buffer.records_in(2**20) == 16
    for _ in range(60):
        buffer.add(fetched(0, range(10), 1000))
    assert 900 <= buffer.records_in(2**20) <= 1100
    for _ in range(60):
        buffer.add(fetched(0, range(10), 500_000))
    assert 2 <= buffer.records_in(2**20) <= 3
    assert buffer.records_in(1) == 1
