"""How fast the past is filled in: as fast as the writer stays fresh, and never with the whole machine."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client.parser import text_string_to_metric_families

from libs.common.clock import Clock, set_within

log = structlog.get_logger(__name__)

# The share of time spent working. The rest belongs to others even when they are quick.
LEAST, FIRST, MOST = 0.05, 0.4, 0.8
_LOOK_SECONDS = 2.0
# Mean seconds from received to queryable. The writer lingers for half a second by itself.
FRESH, STALE = 1.2, 1.8
_LONGEST_REST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What the writer has stored since it started: batches and the sum of their seconds from received to queryable."""

    batches: float
    seconds: float


class Pace:
    """Rests after each piece of work: twice as long when the writer falls behind, a little less while it keeps up."""

    def __init__(self, look: Callable[[], Awaitable[Stored | None]] | None, clock: Clock) -> None:
        """`look` gives None when nobody answers. Without it the pace stays as it was at first."""
        self._look = look
        self._clock = clock
        self._share = FIRST
        self._last: Stored | None = None
        self._next_look = 0.0

    @property
    def share(self) -> float:
        """Of one processor's time, 0 to 1."""
        return self._share

    async def rest(self, worked_seconds: float, stop: asyncio.Event) -> None:
        """After work of so many seconds."""
        if self._look is not None and self._clock.monotonic() >= self._next_look:
            self._adapt(await self._look())
            self._next_look = self._clock.monotonic() + _LOOK_SECONDS
        await set_within(
            self._clock, min(worked_seconds * (1 - self._share) / self._share, _LONGEST_REST_SECONDS), stop
        )

    def _adapt(self, now: Stored | None) -> None:
        last, self._last = self._last, now
        if now is None:
            self._share = LEAST
            return
        if last is None or now.batches < last.batches:  # the first look, or a writer that was started again
            return
        batches = now.batches - last.batches
        # No batch at all although we sent some: it is busy with one.
        freshness = (now.seconds - last.seconds) / batches if batches else STALE + 1
        if freshness > STALE:
            self._share = max(self._share / 2, LEAST)
        elif freshness < FRESH:
            self._share = min(self._share + 0.05, MOST)


def read_stored(page: str) -> Stored:
    """From the writer's metrics page, all signals together."""
    batches = seconds = 0.0
    for family in text_string_to_metric_families(page):
        if family.name == "airis_writer_freshness_seconds":
            batches += sum(sample.value for sample in family.samples if sample.name.endswith("_count"))
            seconds += sum(sample.value for sample in family.samples if sample.name.endswith("_sum"))
    return Stored(batches, seconds)
