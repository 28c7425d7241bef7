"""Roles that poll, consume or run on a schedule: one worker is a named function with a schedule, a lease and limits.

    async def sweep(run: Run) -> None:
        for done, tenant in enumerate(tenants):
            if run.stopping.is_set():
                await run.save(tenant)                  # a later run finds it in run.checkpoint
                raise Interrupted
            run.report(done, len(tenants), tenant)      # others read it as the job's status
            await expire(tenant, fence=run.fence)       # refused where a later holder has written (fencing.py)

    worker = Worker("retention", sweep, Cron("15 3 * * *", "Asia/Seoul"))
    await Runner(worker, clock, WorkerMetrics(registry), RedisJobStore(redis)).run(stop)

`worker_role` (role.py) makes a whole role of some, `Shards` spreads one over replicas. docs/extending.md has the list of places.
"""

from libs.common.workers.metrics import WorkerMetrics
from libs.common.workers.redis_store import RedisJobStore
from libs.common.workers.runner import Runner, Runs, WorkerEnded, run_all
from libs.common.workers.schedules import Cron, Every, InvalidSchedule, LastRun, Once, Schedule
from libs.common.workers.sharding import Shards, owner_of, shard_of
from libs.common.workers.store import JobStatus, JobStore, Lease, LeaseLost, Outcome, Progress
from libs.common.workers.worker import Interrupted, Retries, Run, Worker, new_holder

__all__ = [
    "Cron",
    "Every",
    "Interrupted",
    "InvalidSchedule",
    "JobStatus",
    "JobStore",
    "LastRun",
    "Lease",
    "LeaseLost",
    "Once",
    "Outcome",
    "Progress",
    "RedisJobStore",
    "Retries",
    "Run",
    "Runner",
    "Runs",
    "Schedule",
    "Shards",
    "Worker",
    "WorkerEnded",
    "WorkerMetrics",
    "new_holder",
    "owner_of",
    "run_all",
    "shard_of",
]
