"""Memory of one process, shared by all its partitions."""

from collections.abc import Iterable

from libs.common.bus.protocol import Record

# What a record takes beside its value: the object, its key, its headers.
_RECORD_BYTES = 512


def held_bytes(records: Iterable[Record]) -> int:
    """What these take while they are kept."""
    return sum(len(record.value) + _RECORD_BYTES for record in records)


class MemoryBudget:
    """How many bytes are held, and how many more may be read. `reserve` is kept for what must go on when all else is full."""

    def __init__(self, limit: int, reserve: int) -> None:
        self._limit = limit
        self._reserve = reserve
        self.used = 0
        self.peak = 0

    @property
    def free(self) -> int:
        """Bytes that may still be read."""
        return max(self._limit - self._reserve - self.used, 0)

    def take(self, size: int) -> None:
        """Hold `size` bytes more."""
        self.used += size
        self.peak = max(self.peak, self.used)

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less."""
        self.used -= size
