"""Time as a parameter, so that tests decide what time it is."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol, TypeVar

T = TypeVar("T")


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


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, by this clock within `seconds`. Raises TimeoutError, having cancelled `work`."""
    working = asyncio.ensure_future(work)
    limit = asyncio.ensure_future(clock.sleep(max(seconds, 0)))
    try:
        await asyncio.wait({working, limit}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise TimeoutError
    finally:
        for task in (working, limit):
            task.cancel()
        await asyncio.gather(working, limit, return_exceptions=True)


async def set_within(clock: Clock, seconds: float, event: asyncio.Event) -> bool:
    """Wait for the event, at most `seconds`; whether it is set."""
    with suppress(TimeoutError):
        if not event.is_set():
            await within(clock, seconds, event.wait())
    return event.is_set()
