"""Each test runs on the memory store and on a real Redis."""

from collections.abc import AsyncIterator

import pytest

from libs.common.clock import SystemClock
from libs.common.redis_client import open_redis
from libs.common.testing.memory_jobs import MemoryJobStore
from libs.common.workers import JobStore, RedisJobStore


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[JobStore]:
    """A store without jobs, on the machine's clock."""
    if request.param == "memory":
        yield MemoryJobStore(SystemClock())
        return
    async with open_redis(request.getfixturevalue("redis_settings")) as client:
        yield RedisJobStore(client)
