"""The machine's clock, and waiting by any clock."""

import asyncio
import time

import pytest

from libs.common.clock import SystemClock, set_within, within
from libs.common.testing import FakeClock


async def test_the_system_clock_tells_the_machines_time() -> None:
    clock = SystemClock()
    assert abs(clock.now_ns() - time.time_ns()) < 5_000_000_000
    started = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - started >= 0.009


async def test_work_within_a_time_of_the_clock() -> None:
    clock, event = FakeClock(), asyncio.Event()
    assert await within(clock, 5, clock.sleep(0)) is None
    late = asyncio.create_task(within(clock, 5, event.wait()))
    await clock.advance(6)
    with pytest.raises(TimeoutError):
        await late
    waiting = asyncio.create_task(set_within(clock, 5, event))
    await clock.advance(6)
    assert not await waiting
    waiting = asyncio.create_task(set_within(clock, 5, event))
    await clock.advance(1)
    event.set()
    assert await waiting
    assert clock.sleeping == 0


async def test_what_work_fails_with_comes_out_and_a_cancel_goes_in() -> None:
    clock, ended = FakeClock(), []

    async def work(error: Exception | None) -> None:
        try:
            await clock.sleep(1)
            if error:
                raise error
        finally:
            ended.append(error)

    failing = asyncio.create_task(within(clock, 5, work(ValueError("no"))))
    await clock.advance(2)
    with pytest.raises(ValueError, match="no"):
        await failing
    cancelled = asyncio.create_task(within(clock, 5, work(None)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert len(ended) == 2
