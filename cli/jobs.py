"""What an installation's workers are at, read from where they write it, and asking one to end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from rich.table import Table

from libs.common.errors import CacheUnavailable
from libs.common.redis_client import open_redis
from libs.common.settings import RedisSettings
from libs.common.workers import JobStatus, RedisJobStore

T = TypeVar("T")


def all_jobs(redis_url: str) -> list[JobStatus] | None:
    """Every job that ever ran here; None when Redis does not answer."""

    async def read(store: RedisJobStore) -> list[JobStatus]:
        return [await store.status(job) for job in await store.jobs()]

    return _ask(redis_url, read)


def one_job(redis_url: str, job: str) -> JobStatus | None:
    """None when Redis does not answer."""
    return _ask(redis_url, lambda store: store.status(job))


def cancel(redis_url: str, job: str) -> bool | None:
    """Whether there was a run to end; None when Redis does not answer."""
    return _ask(redis_url, lambda store: store.request_cancel(job))


def describe(status: JobStatus) -> str:
    """One line: `34 % of the past 24 h of the demo shop, 2:10 left`."""
    progress = status.progress
    if not status.holder:
        return status.outcome or "waits"
    if status.cancelling:
        return "ending on request"
    if progress is None:
        return "running"
    if not progress.total:
        return progress.message or "running"
    share = f"{100 * progress.done / progress.total:.0f} %"
    text = f"{share} of {progress.message}" if progress.message else share
    if progress.eta_seconds is not None:
        text += f", {timedelta(seconds=round(progress.eta_seconds))} left"
    return text


def jobs_table(jobs: list[JobStatus]) -> Table:
    """For `airis status`."""
    table = Table("job", "state", title="background work")
    for status in jobs:
        table.add_row(status.job, describe(status))
    return table


def _ask(redis_url: str, question: Callable[[RedisJobStore], Awaitable[T]]) -> T | None:
    async def ask() -> T:
        settings = RedisSettings(url=redis_url, timeout_seconds=1.0, connect_timeout_seconds=1.0)
        async with open_redis(settings) as client:
            return await question(RedisJobStore(client))

    try:
        return asyncio.run(ask())
    except CacheUnavailable:
        return None
