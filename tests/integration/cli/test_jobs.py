"""Asking the Redis of an installation, there or not."""

import asyncio

from cli.jobs import all_jobs, cancel, one_job
from libs.common.redis_client import open_redis
from libs.common.settings import RedisSettings
from libs.common.testing import free_port
from libs.common.workers import JobStatus, Progress, RedisJobStore


def test_jobs_are_read_and_told_to_end(redis_settings: RedisSettings) -> None:
    assert all_jobs(redis_settings.url) == []
    assert cancel(redis_settings.url, "demo-backfill") is False

    async def begin() -> None:
        async with open_redis(redis_settings) as client:
            store = RedisJobStore(client)
            found = await store.acquire("demo-backfill", "host/1", 30)
            assert found is not None
            await store.renew(found.lease, 30, Progress(1, 2))

    asyncio.run(begin())
    status = JobStatus("demo-backfill", "host/1", progress=Progress(1.0, 2.0))
    assert all_jobs(redis_settings.url) == [status]
    assert cancel(redis_settings.url, "demo-backfill") is True
    ending = one_job(redis_settings.url, "demo-backfill")
    assert ending is not None
    assert ending.cancelling


def test_a_redis_that_is_not_there_is_no_error() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    assert all_jobs(url) is None
    assert one_job(url, "demo-backfill") is None
    assert cancel(url, "demo-backfill") is None
