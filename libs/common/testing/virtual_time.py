"""An event loop whose time passes only while everybody waits: hours of a simulation take seconds, and each run is the same.

    run_virtual(main())          # asyncio.sleep, asyncio.timeout and VirtualClock all go by its time

Nothing real may be awaited in it: no sockets, no threads, no processes.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from libs.common.testing.clocks import START_NS

T = TypeVar("T")

_LEAST_SECONDS = 1e-6


class VirtualClock:
    """Clock of the running virtual loop."""

    def now_ns(self) -> int:
        return START_NS + round(self.monotonic() * 1e9)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        # Less than this may be nothing to a float of hours, and time would stand still for ever.
        await asyncio.sleep(max(seconds, _LEAST_SECONDS) if seconds > 0 else 0)


class _Selector(selectors.SelectSelector):
    """Waits by moving the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for ever")
        self.now += max(timeout, 0.0)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)
