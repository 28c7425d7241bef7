"""A clock that moves only when told."""

import asyncio
import heapq
from itertools import count

START_NS = 1_700_000_000_000_000_000


class FakeClock:
    """Clock for tests. `advance` moves both times and wakes the sleepers that are due, in order."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self._now_ns = now_ns
        self._start_ns = now_ns
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic(self) -> float:
        return (self._now_ns - self._start_ns) / 1e9

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_ns + round(seconds * 1e9), next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move time, stopping at each sleeper so that it runs at the time it asked for."""
        target = self._now_ns + round(seconds * 1e9)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._now_ns, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self._now_ns = target

    def move(self, seconds: float) -> None:
        """Move time without waking sleepers, for code without an event loop."""
        self._now_ns += round(seconds * 1e9)

    @property
    def sleeping(self) -> int:
        """How many tasks sleep on this clock."""
        return sum(not woken.done() for _, _, woken in self._sleepers)


async def _settle() -> None:
    """Let ready tasks run. Several rounds, because one wake-up may pass through several awaits."""
    for _ in range(50):
        await asyncio.sleep(0)
