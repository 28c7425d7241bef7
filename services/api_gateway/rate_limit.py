"""Token buckets in Redis, shared by all gateways; while Redis is away each gateway has its own, so that nothing opens."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

from redis.asyncio import Redis

from libs.common.clock import Clock
from libs.common.errors import CacheUnavailable, RateLimited
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.redis_guard import RedisGuard

# Of our own, for an outage; who is pushed out starts with a full bucket.
MAX_OWN_BUCKETS = 50_000


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

    def __init__(self, redis: Redis, guard: RedisGuard, metrics: GatewayMetrics, clock: Clock) -> None:
        self._script = redis.register_script(files(__package__).joinpath("token_bucket.lua").read_text("utf-8"))
        self._guard = guard
        self._metrics = metrics
        self._clock = clock
        self._own: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, at

    async def take(self, limit: Limit, who: str) -> Decision:
        """One token of `who`'s bucket. `who` is hashed, since it may be an address or e-mail."""
        key = f"airis:limit:{limit.name}:{hashlib.sha256(who.encode('utf-8', 'replace')).hexdigest()[:32]}"
        try:
            answer = await self._guard.call(
                lambda: cast(
                    "Awaitable[list[int]]", self._script(keys=[key], args=[repr(limit.per_second), limit.burst])
                )
            )
        except CacheUnavailable:
            decision, where = self._take_own(limit, key), "_alone"
        else:
            allowed, remaining, until_one, until_full = (int(part) for part in answer)
            decision, where = Decision(limit, bool(allowed), remaining, until_one / 1000, until_full / 1000), ""
        self._metrics.rate_limit_decisions.labels(
            limit.name, ("allowed" if decision.allowed else "limited") + where
        ).inc()
        return decision

    def _take_own(self, limit: Limit, key: str) -> Decision:
        now = self._clock.monotonic()
        tokens, at = self._own.pop(key, (float(limit.burst), now))
        tokens = min(limit.burst, tokens + (now - at) * limit.per_second)
        allowed = tokens >= 1
        tokens -= allowed
        self._own[key] = (tokens, now)
        while len(self._own) > MAX_OWN_BUCKETS:
            self._own.popitem(last=False)
        return Decision(
            limit, allowed, math.floor(tokens), max(0.0, (1 - tokens) / limit.per_second),
            (limit.burst - tokens) / limit.per_second,
        )  # fmt: skip


def neighbourhood(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits, since that is the least one subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)
