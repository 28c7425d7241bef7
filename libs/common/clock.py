"""Time as a parameter, so that tests decide what time it is."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where code gets time from."""

    def now_ns(self) -> int:
        """Wall clock, unix nanoseconds. For timestamps, never for durations."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back. For deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
