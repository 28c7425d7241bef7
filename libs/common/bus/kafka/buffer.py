"""Records fetched and not returned yet."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from aiokafka.structs import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition

from libs.common.bus.protocol import Record, TopicPartition

# What one record is taken to have before the first was seen.
_FIRST_GUESS_BYTES = 64 * 1024
_MOST_RECORDS = 5000


class FetchBuffer:
    """Gives out records up to a number of bytes; keeps those of paused partitions."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self._records: dict[TopicPartition, deque[Record]] = {}
        self._mean_bytes = float(_FIRST_GUESS_BYTES)

    def add(self, fetched: Mapping[KafkaPartition, Sequence[ConsumerRecord]]) -> None:
        """Append what aiokafka returned."""
        for theirs, records in fetched.items():
            tp = TopicPartition(theirs.topic, theirs.partition)
            self._records.setdefault(tp, deque()).extend(_record(record) for record in records)
            mean = sum(len(record.value or b"") for record in records) / max(len(records), 1)
            self._mean_bytes += (mean - self._mean_bytes) / 4

    def take(self, max_bytes: int) -> dict[TopicPartition, list[Record]]:
        """The oldest of partitions that are not paused, at least one if there is any, until `max_bytes` are passed."""
        taken: dict[TopicPartition, list[Record]] = {}
        ready = [tp for tp in self._records if tp not in self.paused]
        left = max_bytes
        for index, tp in enumerate(ready):
            if left <= 0 and taken:
                break
            queue = self._records.pop(tp)
            share = left // (len(ready) - index)
            used = 0
            records: list[Record] = []
            while queue and (not records or used + len(queue[0].value) <= share):
                record = queue.popleft()
                used += len(record.value)
                records.append(record)
            left -= used
            taken[tp] = records
            if queue:
                self._records[tp] = queue  # to the end
        return taken

    def records_in(self, max_bytes: int) -> int:
        """How many records to fetch for about `max_bytes`, judging by the last ones."""
        return max(1, min(_MOST_RECORDS, int(max_bytes / max(self._mean_bytes, 1))))

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Forget what was fetched from these."""
        for tp in partitions:
            self._records.pop(tp, None)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Forget everything about these; they are no longer ours."""
        self.drop(partitions)
        self.paused.difference_update(partitions)


def _record(record: ConsumerRecord) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value or b"",
        tuple(record.headers),
        record.timestamp,
    )
