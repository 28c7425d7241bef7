"""The cache in front of the store, and what happens to work nobody waits for."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from libs.common.settings import RedisSettings
from libs.common.testing import free_port
from tests.integration.query import records
from tests.integration.services.analytics.conftest import NOW, Analytics

HOUR = 3600 * 10**9
OPEN = {"from_": str(NOW - HOUR), "to": str(NOW)}
CLOSED = {"from_": str(NOW - 3 * HOUR), "to": str(NOW - 2 * HOUR)}


def source(response: httpx.Response) -> str:
    return response.headers["x-airis-answer"]


async def fill(analytics: Analytics, time: int = NOW - 60 * 10**9) -> None:
    await analytics.store(records.traces(records.samples(20), time))


async def test_the_same_question_again_is_answered_from_the_cache(
    analytics: Analytics, redis_settings: RedisSettings
) -> None:
    await fill(analytics)
    first = await analytics.get("/api/v1/traces", query="status=error  a!=b", **OPEN)
    again = await analytics.get("/api/v1/traces", query="status=error AND a!=b", **OPEN)
    assert (source(first), source(again)) == ("store", "cache")
    assert first.content == again.content
    other = await analytics.get("/api/v1/traces", query="status=error", **OPEN)
    assert source(other) == "store"
    async with Redis.from_url(redis_settings.url) as redis:
        keys = [key async for key in redis.scan_iter("airis:analytics:*")]
        # Below zero: gone since it was listed.
        assert all([await redis.pttl(key) <= 1000 for key in keys])


async def test_closed_ranges_are_kept_longer(analytics: Analytics, redis_settings: RedisSettings) -> None:
    await analytics.get("/api/v1/services", **CLOSED)
    async with Redis.from_url(redis_settings.url) as redis:
        keys = [key async for key in redis.scan_iter("airis:analytics:*")]
        assert [await redis.ttl(key) > 50 for key in keys] == [True]


async def test_nothing_yet_is_not_remembered(analytics: Analytics) -> None:
    """Whoever waits for the first trace to arrive asks again and again."""
    empty = await analytics.get("/api/v1/traces", **OPEN)
    assert empty.json()["traces"] == []
    await fill(analytics)
    found = await analytics.get("/api/v1/traces", **OPEN)
    assert source(found) == "store"
    assert found.json()["traces"]


async def test_without_times_two_questions_within_seconds_are_one(analytics: Analytics) -> None:
    await fill(analytics)
    await analytics.get("/api/v1/services")
    analytics.clock.move(-2)
    assert source(await analytics.get("/api/v1/services")) == "cache"


async def test_questions_asked_at_once_are_asked_once(analytics: Analytics) -> None:
    await fill(analytics)
    responses = await asyncio.gather(*(analytics.get("/api/v1/traces/durations", **OPEN) for _ in range(8)))
    assert sorted(source(response) for response in responses) == ["shared"] * 7 + ["store"]
    assert len({response.content for response in responses}) == 1


class TestWithoutRedis:
    @pytest.fixture
    def redis_settings(self) -> RedisSettings:
        return RedisSettings(url=f"redis://127.0.0.1:{free_port()}/0")

    async def test_everything_works_without_the_cache(self, analytics: Analytics) -> None:
        await fill(analytics)
        for _ in range(3):
            response = await analytics.get("/api/v1/traces", **OPEN)
            assert response.json()["traces"]
            assert source(response) == "store"
        ready = await analytics.client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["checks"]["redis"]["ok"] is False


async def test_work_ends_when_the_caller_leaves(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is asked something that takes seconds; the request is cancelled; the store stops."""
    original = analytics.clickhouse.__class__.query
    started = asyncio.Event()

    async def long_query(self: Any, statement: Any, parameters: Any = None, **options: Any) -> Any:
        if getattr(statement, "name", "") == "span_durations":
            started.set()
            return await original(
                self, "SELECT count() AS n FROM numbers(1000000000000) WHERE cityHash64(number) = 1", {}, **options
            )
        return await original(self, statement, parameters, **options)

    monkeypatch.setattr(analytics.clickhouse.__class__, "query", long_query)
    asking = asyncio.create_task(analytics.get("/api/v1/traces/durations", **OPEN))
    await asyncio.wait_for(started.wait(), 10)
    await asyncio.sleep(0.5)
    assert await running(analytics) == 1
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    for _ in range(50):
        if await running(analytics) == 0:
            break
        await asyncio.sleep(0.1)
    assert await running(analytics) == 0


async def running(analytics: Analytics) -> int:
    rows = await analytics.clickhouse.query(
        "SELECT count() AS n FROM system.processes WHERE query LIKE '%cityHash64(number) = 1%' AND query NOT LIKE '%system.processes%'"
    )
    return int(rows[0]["n"])
