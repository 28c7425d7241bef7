"""Which partition a record goes to."""

from collections.abc import Sequence
from itertools import count

from aiokafka.partitioner import murmur2


class Partitioner:
    """Kafka's rule for keys (murmur2, as in the Java client), so that all transports and other clients agree; records
    without a key go round.
    """

    def __init__(self) -> None:
        self._turn = count()

    def __call__(self, key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
        """One of `partitions`; without a key one of `available`, those with a leader, if there are any."""
        if key is None:
            candidates = sorted(available or partitions)
            return candidates[next(self._turn) % len(candidates)]
        ordered = sorted(partitions)
        chosen: int = ordered[(murmur2(key) & 0x7FFFFFFF) % len(ordered)]
        return chosen
