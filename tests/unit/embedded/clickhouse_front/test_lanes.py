from __future__ import annotations

import asyncio
import threading

import pytest

from embedded.clickhouse_front.engine import EngineError
from embedded.clickhouse_front.lanes import Lane, settled


async def test_width_and_queue_are_bounds() -> None:
    lane, gate = Lane("test", 2, 1), threading.Event()
    try:
        running = [asyncio.create_task(lane.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert (lane.running, lane.waiting) == (2, 1)
        with pytest.raises(EngineError, match="Retry later"):
            await lane.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*running) == [True] * 3
        assert (lane.running, lane.waiting) == (0, 0)
    finally:
        gate.set()
        lane.close()


async def test_a_cancelled_caller_keeps_its_slot_until_the_thread_is_done() -> None:
    lane, gate = Lane("test", 1, 1), threading.Event()
    try:
        task = asyncio.create_task(lane.run(gate.wait))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        assert lane.running == 1
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lane.running == 0
    finally:
        gate.set()
        lane.close()


async def test_settled_passes_results_and_errors_on() -> None:
    loop = asyncio.get_running_loop()
    assert await settled(loop.run_in_executor(None, lambda: 5)) == 5
    with pytest.raises(ZeroDivisionError):
        await settled(loop.run_in_executor(None, lambda: 1 // 0))
