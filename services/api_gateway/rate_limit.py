"""Token buckets in Redis, shared by all gateways.

Fails open: without Redis nobody is limited and `airis_gateway_rate_limit_decisions_total{decision="failed_open"}` grows,
because a monitoring product that is down when its cache is down is worse than one without limits for a while.
"""

import hashlib
import math
from collections.abc import Awaitable
from dataclasses import dataclass
from importlib.resources import files
from typing import cast

from redis.asyncio import Redis

from libs.common.errors import CacheUnavailable, RateLimited
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.redis_guard import RedisGuard


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_second` tokens come back, up to `burst`. `name` is a metric label and part of the Redis key."""

    name: str
    per_second: float
    burst: int

    @property
    def policy(self) -> str:
        """`RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): quota, and seconds in which it comes back."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst / self.per_second)}'


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bucket said. Times are seconds."""

    limit: Limit
    allowed: bool
    remaining: int
    retry_after: float
    full_after: float

    def headers(self) -> list[tuple[str, str]]:
        """`RateLimit` and `RateLimit-Policy`."""
        return [
            ("RateLimit-Policy", self.limit.policy),
            ("RateLimit", f'"{self.limit.name}";r={self.remaining};t={math.ceil(self.full_after)}'),
        ]

    def require(self, detail: str) -> None:
        """Raises RateLimited with `detail` when the bucket was empty."""
        if not self.allowed:
            raise RateLimited(detail, retry_after=self.retry_after)


class RateLimiter:
    """Takes one token at a time."""

    def __init__(self, redis: Redis, guard: RedisGuard, metrics: GatewayMetrics) -> None:
        self._script = redis.register_script(files(__package__).joinpath("token_bucket.lua").read_text("utf-8"))
        self._guard = guard
        self._metrics = metrics

    async def take(self, limit: Limit, who: str) -> Decision | None:
        """One token of `who`'s bucket; None when Redis is away. `who` is hashed, since it may be an address or e-mail."""
        key = f"airis:limit:{limit.name}:{hashlib.sha256(who.encode()).hexdigest()[:32]}"
        try:
            answer = await self._guard.call(
                lambda: cast(
                    "Awaitable[list[int]]", self._script(keys=[key], args=[repr(limit.per_second), limit.burst])
                )
            )
        except CacheUnavailable:
            self._metrics.rate_limit_decisions.labels(limit.name, "failed_open").inc()
            return None
        allowed, remaining, until_one, until_full = (int(part) for part in answer)
        self._metrics.rate_limit_decisions.labels(limit.name, "allowed" if allowed else "limited").inc()
        return Decision(limit, bool(allowed), remaining, until_one / 1000, until_full / 1000)
