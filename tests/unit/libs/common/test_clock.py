"""The machine's clock."""

import time

from libs.common.clock import SystemClock


async def test_the_system_clock_tells_the_machines_time() -> None:
    clock = SystemClock()
    assert abs(clock.now_ns() - time.time_ns()) < 5_000_000_000
    started = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - started >= 0.009
