"""The clock of tests."""

import asyncio

import pytest

from libs.common.testing import FakeClock


async def test_sleepers_wake_in_order_at_the_time_they_asked_for() -> None:
    clock, woken = FakeClock(now_ns=0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await clock.advance(2)
    assert woken == [(1, 1.0), (2, 2.0)]
    assert clock.sleeping == 1
    await clock.advance(5)
    assert woken[-1] == (3, 3.0)
    assert clock.monotonic() == 7
    assert clock.now_ns() == 7_000_000_000
    await asyncio.gather(*tasks)


async def test_a_cancelled_sleeper_is_gone() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleeping == 0
    await clock.advance(2)


async def test_a_sleeper_that_sleeps_again_runs_as_often_as_time_allows() -> None:
    clock, ticks = FakeClock(), 0

    async def ticker() -> None:
        nonlocal ticks
        while True:
            await clock.sleep(0.5)
            ticks += 1

    task = asyncio.create_task(ticker())
    await clock.advance(10)
    assert ticks == 20
    task.cancel()
