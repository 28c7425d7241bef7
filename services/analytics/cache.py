"""Answers kept for a moment: one dashboard opened by ten people is one set of questions.

Two layers. Questions that are being answered right now are joined (single flight, in this process); answers are kept in
Redis for seconds. Redis being away costs speed only: it is then left alone for a second at a time.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.common.clock import Clock
from libs.common.json_form import to_json
from services.analytics.metrics import AnalyticsMetrics
from services.analytics.settings import AnalyticsSettings

# Part of every key: answers of another form must not be read.
_FORMAT = 1
_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What makes two requests the same: tenant, endpoint, and parameters in one normal form.

    `end` is the end of the range asked about in unix nanoseconds. `results` names the list in the answer that is empty
    when nothing was found.
    """

    tenant: str
    endpoint: str
    parameters: Mapping[str, Any]
    end: int
    results: str

    @property
    def key(self) -> str:
        parts = [_FORMAT, self.tenant, self.endpoint, sorted(self.parameters.items())]
        return "airis:analytics:" + hashlib.sha256(orjson.dumps(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """The response body, and where it came from."""

    body: bytes
    source: Literal["cache", "store", "shared"]


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Answer]
    waiting: int = field(default=0)


class Answers:
    """`get` answers a question from Redis, from somebody who is asking the same, or by doing the work."""

    def __init__(self, redis: Redis, clock: Clock, metrics: AnalyticsMetrics, settings: AnalyticsSettings) -> None:
        self._redis = redis
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._flights: dict[str, _Flight] = {}
        self._paused_until = float("-inf")

    async def get(self, question: Question, work: Callable[[], Awaitable[Mapping[str, Any]]]) -> Answer:
        """The answer as JSON. Raises what `work` raises. Work is cancelled when the last who waits for it leaves."""
        key = question.key
        flight = self._flights.get(key)
        shared = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._find(key, question, work)))
        flight.waiting += 1
        try:
            answer = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                # Nobody may join a flight that is being given up, or one that has landed.
                self._flights.pop(key, None)
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)
        if shared:
            answer = Answer(answer.body, "shared")
        self._metrics.answers.labels(question.endpoint, answer.source).inc()
        return answer

    async def _find(self, key: str, question: Question, work: Callable[[], Awaitable[Mapping[str, Any]]]) -> Answer:
        kept = await self._ask("get", lambda: self._redis.get(key))
        if isinstance(kept, bytes):
            return Answer(kept, "cache")
        content = await work()
        # In a thread, because a big trace takes a second and others are waiting for the loop.
        body = await asyncio.to_thread(to_json, content)
        seconds = self._seconds(question, content)
        if seconds and len(body) <= self._settings.max_cached_bytes:
            await self._ask("set", lambda: self._redis.set(key, body, ex=seconds))
        return Answer(body, "store")

    def _seconds(self, question: Question, content: Mapping[str, Any]) -> int:
        """How long an answer holds; 0 for "nothing yet", which whoever sends the first data does not want to see again."""
        if question.end + self._settings.settle_seconds * 10**9 <= self._clock.now_ns():
            return self._settings.closed_cache_seconds
        return self._settings.open_cache_seconds if content.get(question.results) else 0

    async def _ask(self, operation: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if self._clock.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(self._settings.cache_timeout_seconds):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = self._clock.monotonic() + _PAUSE_SECONDS
            self._metrics.cache_failures.labels(operation).inc()
            log.warning("cache did not answer", operation=operation, error=type(error).__name__)
            return None
