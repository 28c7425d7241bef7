"""A batch: consecutive records of one partition that reach the store in one INSERT, its name there, and its intent on the bus."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from libs.common.bus.protocol import Position, Record, TopicPartition

_LAST, _LIFE, _AT = "last=", "life=", "at="


@dataclass(frozen=True)
class Batch:
    """At least one record, offsets ascending, all of one partition and one `life` of its topic.

    `first` and `last` are what was announced. `life` is None for a batch that a release before lives has announced.
    """

    partition: TopicPartition
    life: str | None
    first: int
    last: int
    records: tuple[Record, ...]

    @classmethod
    def over(cls, partition: TopicPartition, life: str | None, records: Iterable[Record]) -> "Batch":
        """From the first to the last of these records."""
        records = tuple(records)
        return cls(partition, life, records[0].offset, records[-1].offset, records)

    @property
    def token(self) -> str:
        """Names this very set of records, for ever; the store drops a second insert under the same token."""
        topic, number = self.partition.topic, self.partition.partition
        if self.life is None:
            return f"{topic}-{number}-{self.first}-{self.last}"
        return f"{topic}-{self.life}-{number}-{self.first}-{self.last}"

    @cached_property
    def size(self) -> int:
        """Bytes of the records' values."""
        return sum(len(record.value) for record in self.records)

    @property
    def whole(self) -> bool:
        """Whether all that was announced is here: retention may have taken the head of it."""
        return len(self.records) == self.last - self.first + 1

    def of(self, records: Iterable[Record]) -> "Batch":
        """Some of these records, under the same announcement."""
        return replace(self, records=tuple(records))

    def halves(self) -> "tuple[Batch, Batch]":
        """Split in the middle, to be counted apart; needs two records or more."""
        middle = len(self.records) // 2
        return (
            Batch.over(self.partition, self.life, self.records[:middle]),
            Batch.over(self.partition, self.life, self.records[middle:]),
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """What a position and its metadata say.

    `life`: of the topic whose offset it is, None from a release before lives. `last`: where a batch ends that was
    announced at `offset` and may or may not have reached the store. `at_ms`: when, in unix milliseconds.
    """

    offset: int
    life: str | None = None
    last: int | None = None
    at_ms: int | None = None

    @classmethod
    def read(cls, position: Position) -> "Committed":
        """Metadata that others wrote is taken for none."""
        words = position.metadata.split()
        last, life, at_ms = (_word(words, name) for name in (_LAST, _LIFE, _AT))
        return cls(position.offset, life, int(last) if last else None, int(at_ms) if at_ms else None)

    @property
    def position(self) -> Position:
        """For the commit. `last=` comes first: the release before lives stops at the words behind it, and that is wanted.

        It would insert the batch under another token.
        """
        words = ((_LAST, self.last), (_LIFE, self.life), (_AT, self.at_ms))
        return Position(self.offset, " ".join(f"{name}{value}" for name, value in words if value is not None))


def _word(words: list[str], name: str) -> str | None:
    return next((word.removeprefix(name) for word in words if word.startswith(name)), None)
