"""Backpressure of producers: how many bytes may be on their way, and how many may wait for room."""

import asyncio

from libs.common.errors import BusUnavailable


class InFlightBytes:
    """A budget of `limit` bytes, given out in order of asking. As many bytes again may wait; the next caller is refused.

    Waiting callers hold their payloads too, so without the second bound a stuck bus would fill memory all the same.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting = 0
        self._waiters: dict[asyncio.Future[None], int] = {}

    @property
    def used(self) -> int:
        """Bytes given out."""
        return self._used

    async def acquire(self, size: int) -> None:
        """Take `size` bytes, waiting for room; the caller sets the timeout. Raises BusUnavailable when the queue is full."""
        if not self._waiters and self._fits(size):
            self._used += size
            return
        if self._waiting + size > self._limit:
            raise BusUnavailable("The event bus is behind: too many bytes wait to be sent. Retry later.")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[turn] = size
        self._waiting += size
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size)  # its turn came in the moment it was cancelled
            elif self._waiters.pop(turn, None) is not None:
                self._waiting -= size
                self._admit()
            raise

    def release(self, size: int) -> None:
        """Give back what `acquire` took."""
        self._used -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiters:
            turn, size = next(iter(self._waiters.items()))
            if not turn.cancelled() and not self._fits(size):
                return
            del self._waiters[turn]
            self._waiting -= size
            if not turn.cancelled():
                self._used += size
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        # A record larger than the whole budget goes alone.
        return self._used == 0 or self._used + size <= self._limit
