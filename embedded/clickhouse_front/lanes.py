"""Lanes: how many statements run at a time, and how many may wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from embedded.clickhouse_front.engine import EngineError

T = TypeVar("T")


class Lane:
    """`width` statements at a time, in threads of its own, and at most `queue` that wait, first come first served."""

    def __init__(self, name: str, width: int, queue: int) -> None:
        self.name, self.width, self.queue = name, width, queue
        self.waiting = self.running = 0
        self._slots = asyncio.Semaphore(width)
        self._threads = ThreadPoolExecutor(width, thread_name_prefix=name)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place in the lane. Raises EngineError TOO_MANY_SIMULTANEOUS_QUERIES when the queue is full."""
        if self.waiting >= self.queue:
            detail = f"Too many simultaneous queries: {self.waiting} wait in the {self.name} lane already. Retry later."
            raise EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", detail)
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._slots.release()

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run blocking work in one of the lane's threads. The caller holds a slot until the future is done."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def run(self, work: Callable[[], T]) -> T:
        """Take a slot and run blocking work to its end, even if the caller is cancelled meanwhile."""
        async with self.slot():
            return await settled(self.start(work))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def settled(future: asyncio.Future[T]) -> T:
    """Await work in a thread; when cancelled, wait for its end first, since a thread cannot be."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError, Exception):
                await asyncio.shield(future)
        with suppress(Exception):
            future.exception()
        raise
