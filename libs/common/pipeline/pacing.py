"""When a batch is due: soon after a pause, less often the more it costs, never later than freshness allows."""

from dataclasses import dataclass

from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory

# An INSERT costs some 0.1 s of CPU however small it is (ADR 0011): small ones may take a tenth of the time.
_REST = 10.0
# An insert notes a token for each day it has rows of; most have one, around midnight two.
_TOKENS_PER_INSERT = 2
# A partition that must rest longer than this between two inserts is not fresh any more.
_LONGEST_REST_SECONDS = 2.0
# Of the time covered, for clocks of two machines that are apart, and for an insert that is on its way.
_MARGIN = 0.1


class Pace:
    """The rhythm of one topic in this process, over all its partitions. Times are the clock's monotonic seconds."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._least = settings.linger_least_seconds
        self._most = settings.linger_seconds
        self._began = float("-inf")
        self._rest = self._least

    def due(self, oldest: float) -> float:
        """When a batch whose oldest record came at `oldest` is to be inserted, if it is not full before."""
        return min(oldest + self._most, max(oldest + self._least, self._began + self._rest))

    def began(self, now: float) -> None:
        """An insert begins."""
        self._began = now

    def took(self, seconds: float) -> None:
        """It has ended."""
        self._rest = min(max(_REST * seconds, self._least), self._most)


class WindowTooSmall(Exception):
    """The store forgets inserts sooner than a writer may stand still. The message names the setting and a value for it."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the store's memory allows: a partition begins an insert every `rest` seconds at most, and then an intent that is
    not older than `seconds` has its token remembered.
    """

    rest: float
    seconds: float

    @classmethod
    def of(cls, memory: Memory, partitions: int, stall: float) -> "Coverage":
        """For a topic of `partitions`, where an owner may stand still for `stall` seconds until another one replays.

        All partitions together insert `partitions / rest` times a second, so `tokens` are overwritten after
        `tokens * rest / partitions / 2` seconds; that must be `stall`. Raises WindowTooSmall.
        """
        noted = partitions * stall * _TOKENS_PER_INSERT
        rest = noted / max(memory.tokens, 1)
        if rest > _LONGEST_REST_SECONDS:
            needed = int(noted / _LONGEST_REST_SECONDS) + 1
            raise WindowTooSmall(
                f"{memory.setting} is {memory.tokens}; {partitions} partitions need {needed}, so that the store still knows "
                f"an insert when it comes again after {stall:.0f} s. ALTER TABLE ... MODIFY SETTING it, in the table and in "
                "those that its views feed."
            )
        if memory.seconds < stall:
            raise WindowTooSmall(
                f"replicated_deduplication_window_seconds is {memory.seconds:.0f}; it must be at least {stall:.0f}, so that "
                "the store still knows an insert when it comes again. ALTER TABLE ... MODIFY SETTING it, in the table and in "
                "those that its views feed."
            )
        return cls(rest, stall)

    def remembers(self, age: float) -> bool:
        """Whether a token first used `age` seconds ago, by another machine's clock perhaps, is certainly known."""
        return age < self.seconds * (1 - _MARGIN)
