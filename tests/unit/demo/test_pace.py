"""The backfill gives way: slower while the writer is behind, with the whole machine never."""

import asyncio

import pytest

from demo.pace import FIRST, LEAST, MOST, Pace, Stored, read_stored
from libs.common.testing import FakeClock

PAGE = """# HELP airis_writer_freshness_seconds From received to queryable, for the oldest record of each batch.
# TYPE airis_writer_freshness_seconds histogram
airis_writer_freshness_seconds_bucket{le="1.0",signal="logs"} 3.0
airis_writer_freshness_seconds_bucket{le="+Inf",signal="logs"} 4.0
airis_writer_freshness_seconds_count{signal="logs"} 4.0
airis_writer_freshness_seconds_sum{signal="logs"} 3.5
airis_writer_freshness_seconds_count{signal="traces"} 6.0
airis_writer_freshness_seconds_sum{signal="traces"} 8.5
# HELP airis_writer_rows_total Rows the store confirmed.
# TYPE airis_writer_rows_total counter
airis_writer_rows_total{signal="traces"} 100.0
"""


def test_the_writers_page_is_read() -> None:
    assert read_stored(PAGE) == Stored(10.0, 12.0)
    assert read_stored("") == Stored(0.0, 0.0)


class Writer:
    """A writer whose batches take `freshness` seconds; `batches` are stored between two looks."""

    def __init__(self, freshness: float = 0.7, batches: int = 8) -> None:
        self.freshness = freshness
        self.batches = batches
        self.stored: Stored | None = Stored(0, 0)

    async def look(self) -> Stored | None:
        if self.stored is not None:
            self.stored = Stored(
                self.stored.batches + self.batches, self.stored.seconds + self.batches * self.freshness
            )
        return self.stored


async def paced(pace: Pace, clock: FakeClock, looks: int, worked: float = 1.0) -> float:
    """Share of the time that was spent working."""
    began, busy = clock.monotonic(), 0.0
    for _ in range(looks):
        await clock.advance(worked)
        busy += worked
        resting = asyncio.create_task(pace.rest(worked, asyncio.Event()))
        while not resting.done():
            await clock.advance(0.25)
        await resting
    return busy / (clock.monotonic() - began)


async def test_it_speeds_up_while_the_writer_is_fresh_and_leaves_the_rest() -> None:
    clock, writer = FakeClock(), Writer(0.7)
    pace = Pace(writer.look, clock)
    await paced(pace, clock, 40)
    assert pace.share == MOST
    assert await paced(pace, clock, 10) == pytest.approx(MOST, abs=0.05)


async def test_it_gives_way_when_the_writer_falls_behind_and_comes_back_slowly() -> None:
    clock, writer = FakeClock(), Writer(0.7)
    pace = Pace(writer.look, clock)
    await paced(pace, clock, 40)
    writer.freshness = 3.0
    await paced(pace, clock, 4)
    assert pace.share <= MOST / 4
    await paced(pace, clock, 10)
    assert pace.share == LEAST
    writer.freshness = 0.7
    await paced(pace, clock, 3)
    assert LEAST < pace.share < FIRST


async def test_between_fresh_and_stale_it_stays() -> None:
    clock, writer = FakeClock(), Writer(1.5)
    pace = Pace(writer.look, clock)
    await paced(pace, clock, 10)
    assert pace.share == FIRST


@pytest.mark.parametrize("trouble", ["silent", "stuck"])
async def test_a_writer_that_does_not_answer_or_stores_nothing_is_left_in_peace(trouble: str) -> None:
    clock, writer = FakeClock(), Writer()
    pace = Pace(writer.look, clock)
    await paced(pace, clock, 10)
    if trouble == "silent":
        writer.stored = None
    else:
        writer.batches = 0
    await paced(pace, clock, 8)
    assert pace.share == LEAST


async def test_a_writer_that_was_started_again_is_no_alarm() -> None:
    clock, writer = FakeClock(), Writer()
    pace = Pace(writer.look, clock)
    await paced(pace, clock, 10)
    share = pace.share
    writer.stored = Stored(0, 0)
    await paced(pace, clock, 1, worked=3.0)
    assert pace.share >= share


async def test_a_stop_ends_a_rest() -> None:
    clock, stop = FakeClock(), asyncio.Event()
    resting = asyncio.create_task(Pace(None, clock).rest(100, stop))
    await clock.advance(1)
    stop.set()
    await asyncio.wait_for(resting, 5)
