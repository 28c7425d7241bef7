"""A role made of workers: with probes, metrics and the store of leases, as every role has them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from libs.common.clock import Clock
from libs.common.redis_client import check_redis, open_redis
from libs.common.roles import Role
from libs.common.settings import RedisSettings
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.server import serve
from libs.common.workers.metrics import WorkerMetrics
from libs.common.workers.redis_store import RedisJobStore
from libs.common.workers.runner import Runs, run_all
from libs.common.workers.store import JobStore

# Opens what the workers need and makes them. It gets the store of leases, their metrics and the registry.
OpenWorkers = Callable[[JobStore, WorkerMetrics, CollectorRegistry], AbstractAsyncContextManager[dict[str, Runs]]]


def worker_role(
    service: str, open_workers: OpenWorkers, redis: RedisSettings, clock: Clock, *, host: str, port: int
) -> Role:
    """Workers of a service as a role that listens on `port` for probes and metrics only.

    Redis being away takes the role out of readiness (nothing that needs a lease runs then); a worker's own line is a remark.
    """

    async def run(stop: asyncio.Event) -> None:
        registry, readiness = CollectorRegistry(), Readiness(clock)
        app = FastAPI(title=f"AIRIS-MON {service} worker", openapi_url=None)
        install_web_defaults(
            app, service=service, registry=registry, readiness=readiness, clock=clock, untraced_paths=("/",)
        )
        async with open_redis(redis) as client:
            readiness.add("leases", lambda: check_redis(client))
            async with open_workers(RedisJobStore(client), WorkerMetrics(registry), registry) as workers:
                for name, worker in workers.items():
                    readiness.add(f"worker {name}", worker.check, required=False)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(serve(app, host, port, stop), name=f"{service} worker probes")
                    tasks.create_task(run_all(list(workers.values()), stop), name=f"{service} workers")

    return run
