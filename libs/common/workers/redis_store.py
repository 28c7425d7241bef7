"""Leases, progress and members in Redis. The scripts beside this file do the work, each atomically."""

from collections.abc import Awaitable, Sequence
from importlib.resources import files
from typing import Any, cast, get_args

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from libs.common.redis_client import cache_errors
from libs.common.workers.schedules import LastRun
from libs.common.workers.store import Acquired, JobStatus, Lease, LeaseLost, Outcome, Progress

_JOBS = "airis:workers"
# Long enough to be read the next morning.
_PROGRESS_SECONDS = 24 * 3600
_SCRIPTS = ("acquire", "renew", "save", "finish", "release", "cancel", "status")


class RedisJobStore:
    """JobStore on a client whose replies are bytes (libs.common.redis_client)."""

    def __init__(self, redis: Redis) -> None:
        def source(name: str) -> str:
            return files(__package__).joinpath(f"{name}.lua").read_text("utf-8")

        self._redis = redis
        self._scripts = {name: redis.register_script(f"{source('prelude')}\n{source(name)}") for name in _SCRIPTS}
        self._meet = redis.register_script(source("meet"))

    async def acquire(self, job: str, holder: str, seconds: float) -> Acquired | None:
        """See JobStore."""
        answer = await self._run("acquire", job, holder, _ms(seconds))
        if answer is None:
            return None
        fence, slot, done, checkpoint = (part.decode() for part in answer)
        with cache_errors():
            await self._redis.sadd(_JOBS, job)
        return Acquired(Lease(job, holder, int(fence)), _last(slot, done), checkpoint)

    async def renew(self, lease: Lease, seconds: float, progress: Progress | None) -> bool:
        """See JobStore."""
        told: tuple[Any, ...] = ("", "", "", "", "")
        if progress is not None:
            eta = "" if progress.eta_seconds is None else repr(progress.eta_seconds)
            told = (_PROGRESS_SECONDS * 1000, repr(progress.done), repr(progress.total), progress.message, eta)
        return bool(await self._run("renew", lease.job, lease.fence, _ms(seconds), *told))

    async def save(self, lease: Lease, checkpoint: str) -> None:
        """See JobStore."""
        await self._run("save", lease.job, lease.fence, checkpoint)

    async def finish(self, lease: Lease, slot_ns: int, outcome: Outcome, now_ns: int) -> None:
        """See JobStore."""
        done = int(outcome != "failed")
        await self._run("finish", lease.job, lease.fence, slot_ns, done, outcome, now_ns)

    async def release(self, lease: Lease) -> None:
        """See JobStore."""
        await self._run("release", lease.job, lease.fence)

    async def last(self, job: str) -> LastRun | None:
        """See JobStore."""
        return (await self.status(job)).last

    async def status(self, job: str) -> JobStatus:
        """See JobStore."""
        *state, told = await self._run("status", job)
        holder, cancelling, slot, done, outcome, finished = (
            part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in state
        )
        amount, total, message, eta = (part.decode("utf-8", "replace") for part in told)
        progress = Progress(float(amount), float(total), message, float(eta) if eta else None) if amount else None
        return JobStatus(
            job,
            holder,
            cancelling == "1",
            progress,
            _last(slot, done),
            cast("Outcome", outcome) if outcome in get_args(Outcome) else None,
            int(finished) if finished else None,
        )

    async def jobs(self) -> Sequence[str]:
        """See JobStore."""
        with cache_errors():
            return sorted(job.decode() for job in await cast("Awaitable[set[bytes]]", self._redis.smembers(_JOBS)))

    async def request_cancel(self, job: str) -> bool:
        """See JobStore."""
        return bool(await self._run("cancel", job))

    async def meet(self, group: str, member: str, seconds: float) -> frozenset[str]:
        """See JobStore."""
        with cache_errors():
            living = await cast("Awaitable[list[bytes]]", self._meet(keys=[_group(group)], args=[member, _ms(seconds)]))
        return frozenset(name.decode() for name in living)

    async def leave(self, group: str, member: str) -> None:
        """See JobStore."""
        with cache_errors():
            await self._redis.zrem(_group(group), member)

    async def _run(self, name: str, job: str, *arguments: Any) -> Any:
        with cache_errors():
            try:
                return await cast(
                    "Awaitable[Any]", self._scripts[name](keys=[f"airis:worker:{{{job}}}"], args=list(arguments))
                )
            except ResponseError as error:
                if str(error).startswith("LEASELOST"):
                    raise LeaseLost(job) from None
                raise


def _group(group: str) -> str:
    return f"airis:workers:{{{group}}}:members"


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 1)


def _last(slot: str, done: str) -> LastRun | None:
    return LastRun(int(slot), done == "1") if slot else None
