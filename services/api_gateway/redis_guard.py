"""Redis in front of every request: a short time limit, and a pause after a failure so that an absent one costs nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from libs.common.clock import Clock
from libs.common.errors import CacheUnavailable

T = TypeVar("T")

PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class RedisGuard:
    """Calls that fail within `timeout` seconds, and at once for a second after a failure."""

    def __init__(self, clock: Clock, *, timeout: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._paused_until = float("-inf")

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result. Raises CacheUnavailable."""
        if self._clock.monotonic() < self._paused_until:
            raise CacheUnavailable
        try:
            async with asyncio.timeout(self._timeout):
                return await operation()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = self._clock.monotonic() + PAUSE_SECONDS
            log.warning("redis did not answer", error=type(error).__name__)
            raise CacheUnavailable from error
