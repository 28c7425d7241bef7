"""Rate limits as the caller sees them, and without Redis."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from libs.common.errors import CacheUnavailable, RateLimited
from libs.common.metrics import sample_value
from libs.common.testing import FakeClock
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.rate_limit import Decision, Limit, RateLimiter, neighbourhood
from services.api_gateway.redis_guard import PAUSE_SECONDS, RedisGuard
from tests.fixtures.gateway import FakeRedis

LIMIT = Limit("api", 2.0, 5)
DECISIONS = "airis_gateway_rate_limit_decisions_total"


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.redis = FakeRedis(self.clock)
        self.registry = CollectorRegistry()
        self.guard = RedisGuard(self.clock, timeout=0.05)
        self.limiter = RateLimiter(self.redis, self.guard, GatewayMetrics(self.registry), self.clock)

    def decided(self, decision: str) -> float:
        return sample_value(self.registry, DECISIONS, limit="api", decision=decision)


async def test_a_burst_then_the_rate() -> None:
    setting = Setting()
    remaining = [(await setting.limiter.take(LIMIT, "key:a")).remaining for _ in range(5)]
    assert remaining == [4, 3, 2, 1, 0]
    refused = await setting.limiter.take(LIMIT, "key:a")
    assert not refused.allowed
    assert refused.retry_after == 0.5
    with pytest.raises(RateLimited) as raised:
        refused.require("slow down")
    assert (raised.value.detail, raised.value.retry_after) == ("slow down", 0.5)
    setting.clock.move(0.5)
    assert (await setting.limiter.take(LIMIT, "key:a")).allowed
    assert (setting.decided("allowed"), setting.decided("limited")) == (6, 1)


async def test_everybody_has_a_bucket_of_their_own() -> None:
    setting = Setting()
    for _ in range(6):
        await setting.limiter.take(LIMIT, "key:a")
    assert (await setting.limiter.take(LIMIT, "key:b")).remaining == 4
    assert (await setting.limiter.take(Limit("other", 2.0, 5), "key:a")).remaining == 4


def test_headers_follow_the_draft() -> None:
    assert Decision(LIMIT, allowed=True, remaining=3, retry_after=0, full_after=0.7).headers() == [
        ("RateLimit-Policy", '"api";q=5;w=3'),
        ("RateLimit", '"api";r=3;t=1'),
    ]


async def test_without_redis_each_gateway_limits_alone_and_a_metric_says_so() -> None:
    setting = Setting()
    setting.redis.down = True
    decisions = [await setting.limiter.take(LIMIT, "key:a") for _ in range(7)]
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False] * 2
    assert decisions[-1].retry_after == 0.5
    assert (setting.decided("allowed_alone"), setting.decided("limited_alone")) == (5, 2)
    assert (await setting.limiter.take(LIMIT, "key:b")).allowed
    setting.clock.move(0.5)
    assert (await setting.limiter.take(LIMIT, "key:a")).allowed


async def test_buckets_of_our_own_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api_gateway.rate_limit.MAX_OWN_BUCKETS", 3)
    setting = Setting()
    setting.redis.down = True
    for number in range(10):
        await setting.limiter.take(LIMIT, f"key:{number}")
    assert len(setting.limiter._own) == 3


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::99", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_network_of_one_subscriber_is_one_address(address: str, counts_as: str) -> None:
    assert neighbourhood(address) == counts_as


async def test_an_absent_redis_is_asked_once_a_second_only() -> None:
    setting = Setting()
    setting.redis.down = True
    for _ in range(10):
        await setting.limiter.take(LIMIT, "key:a")
    assert setting.redis.calls == 1
    setting.redis.down = False
    await setting.limiter.take(LIMIT, "key:a")
    assert setting.redis.calls == 1
    setting.clock.move(PAUSE_SECONDS)
    assert (await setting.limiter.take(LIMIT, "key:a")).allowed


async def test_a_redis_that_hangs_is_an_absent_one() -> None:
    guard = RedisGuard(FakeClock(), timeout=0.01)
    with pytest.raises(CacheUnavailable):
        await guard.call(asyncio.Event().wait)
    with pytest.raises(CacheUnavailable):
        await guard.call(lambda: pytest.fail("asked again"))


async def test_a_bug_is_not_taken_for_an_outage() -> None:
    guard = RedisGuard(FakeClock(), timeout=1)

    async def buggy() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await guard.call(buggy)


def test_the_key_in_redis_names_nobody() -> None:
    seen: list[str] = []

    class Recording(FakeRedis):
        def register_script(self, script: str):
            async def run(*, keys, args):
                seen.extend(keys)
                return [1, 1, 0, 0]

            return run

    clock = FakeClock()
    limiter = RateLimiter(Recording(clock), RedisGuard(clock, timeout=1), GatewayMetrics(CollectorRegistry()), clock)
    asyncio.run(limiter.take(LIMIT, "203.0.113.7 ada@acme.example\r\nFLUSHALL"))
    assert len(seen) == 1
    assert seen[0].startswith("airis:limit:api:")
    assert "ada" not in seen[0]
    assert seen[0].isprintable()
