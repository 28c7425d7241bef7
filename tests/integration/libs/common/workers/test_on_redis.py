"""Workers over a real Redis that is killed, stalled and started again, and a role of them as a process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import httpx
import pytest
import sqlalchemy
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.clock import SystemClock
from libs.common.metrics import sample_value
from libs.common.redis_client import open_redis
from libs.common.settings import RedisSettings
from libs.common.testing import free_port
from libs.common.workers import LeaseLost, Once, RedisJobStore, Run, Runner, Shards, Worker, WorkerMetrics
from libs.common.workers.fencing import fences_table, require_fence
from tests.fixtures.redis import RedisServer

ROOT = Path(__file__).parents[5]
LEASE = 1.5
PATIENCE = 30.0


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisJobStore]:
    settings = RedisSettings(url=url, timeout_seconds=0.3, connect_timeout_seconds=0.3)
    async with open_redis(settings) as client:
        yield RedisJobStore(client)


class Work:
    """Runs until it is stopped and knows how many do so at once."""

    def __init__(self) -> None:
        self.at_once = self.most_at_once = 0
        self.fences: list[int] = []

    async def __call__(self, run: Run) -> None:
        self.fences.append(run.fence)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await run.stopping.wait()
        finally:
            self.at_once -= 1


async def until(happens, message: str = "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, message
        await asyncio.sleep(0.02)


async def test_two_processes_and_a_redis_that_dies_and_comes_back(own_redis_server: RedisServer) -> None:
    work, stop = Work(), asyncio.Event()
    worker = Worker("alerts", work, lease_seconds=LEASE, drain_seconds=2)
    registries = [CollectorRegistry(), CollectorRegistry()]
    async with opened(own_redis_server.url) as one, opened(own_redis_server.url) as two:
        tasks = [
            asyncio.create_task(Runner(worker, SystemClock(), WorkerMetrics(registry), store).run(stop))
            for registry, store in zip(registries, (one, two), strict=True)
        ]
        await until(lambda: work.at_once == 1)
        own_redis_server.kill()
        await until(lambda: work.at_once == 0, "the holder went on without a lease")
        own_redis_server.start()
        await until(lambda: work.at_once == 1)
        own_redis_server.stall()
        await until(lambda: work.at_once == 0, "the holder went on while Redis was silent")
        own_redis_server.unstall()
        await until(lambda: work.at_once == 1)
        stop.set()
        await asyncio.gather(*tasks)
    assert work.most_at_once == 1
    assert work.fences == sorted(set(work.fences))
    ends = [
        sample_value(registry, "airis_worker_runs_total", worker="alerts", outcome=outcome)
        for registry in registries
        for outcome in ("lost", "ok")
    ]
    assert sum(ends) == len(work.fences)


async def test_tokens_grow_even_when_redis_loses_everything(own_redis_server: RedisServer, tmp_path: Path) -> None:
    async with opened(own_redis_server.url) as store:
        fences = []
        for _ in range(3):
            found = await store.acquire("job", "a", 5)
            assert found is not None
            fences.append(found.lease.fence)
        own_redis_server.kill()
        logs = list(tmp_path.rglob("*.aof"))
        assert logs, "no log to lose"
        for log in logs:
            log.unlink()
        own_redis_server.start()
        found = await store.acquire("job", "b", 5)
        assert found is not None
        assert found.lease.fence > max(fences)


async def test_shards_of_a_killed_process_move(own_redis_server: RedisServer) -> None:
    working: dict[int, set[str]] = {shard: set() for shard in range(8)}
    doubled: list[int] = []

    async def serve(name: str, stop: asyncio.Event) -> None:
        async def work(run: Run, shard: int) -> None:
            if working[shard]:
                doubled.append(shard)
            working[shard].add(name)
            try:
                await run.stopping.wait()
            finally:
                working[shard].discard(name)

        async with opened(own_redis_server.url) as store:
            worker = Worker("tick", Work(), lease_seconds=LEASE, drain_seconds=1)
            metrics = WorkerMetrics(CollectorRegistry())
            await Shards(worker, 8, work, SystemClock(), metrics, store, random=Random(1), holder=name).run(stop)

    stop = asyncio.Event()
    # Names among which the eight shards are spread 2, 3, 3: of "a", "b" and "c" the last has none.
    tasks = {name: asyncio.create_task(serve(name, stop)) for name in ("one", "two", "three")}
    await until(lambda: all(working.values()) and len(set().union(*working.values())) == 3)
    tasks.pop("two").cancel()
    await until(lambda: all(working.values()) and "two" not in set().union(*working.values()))
    stop.set()
    await asyncio.gather(*tasks.values())
    assert doubled == []


async def test_a_control_store_refuses_what_an_old_holder_writes(tmp_path: Path) -> None:
    metadata = sqlalchemy.MetaData()
    fences = fences_table(metadata)
    sums = sqlalchemy.Table("sums", metadata, sqlalchemy.Column("value", sqlalchemy.Integer))
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'control.db'}")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        for fence in (5, 5, 9):
            async with engine.begin() as connection:
                await require_fence(connection, fences, "saga", fence)
                await connection.execute(sums.insert().values(value=fence))
        with pytest.raises(LeaseLost):
            async with engine.begin() as connection:
                await connection.execute(sums.insert().values(value=5))
                await require_fence(connection, fences, "saga", 5)
        async with engine.begin() as connection:
            await require_fence(connection, fences, "another job", 1)
            assert (await connection.scalars(sqlalchemy.select(sums.c.value))).all() == [5, 5, 9]
    finally:
        await engine.dispose()


PROGRAM = """
import sys
from contextlib import asynccontextmanager
from libs.common.clock import SystemClock
from libs.common.roles import run_roles
from libs.common.settings import RedisSettings
from libs.common.workers import Every, Runner, Worker
from libs.common.workers.role import worker_role

@asynccontextmanager
async def workers(store, metrics, registry):
    async def sweep(run):
        run.report(1, 1, "swept")

    async def follow(run):
        await run.stopping.wait()

    clock = SystemClock()
    yield {
        "sweep": Runner(Worker("sweep", sweep, Every(0.1)), clock, metrics, store),
        "follow": Runner(Worker("follow", follow, lease_seconds=0), clock, metrics),
    }

role = worker_role(
    "aiops", workers, RedisSettings(url=sys.argv[1]), SystemClock(), host="127.0.0.1", port=int(sys.argv[2])
)
run_roles({"aiops.worker": role})
"""


def test_a_role_of_workers_has_probes_and_metrics_and_drains(own_redis_server: RedisServer) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, own_redis_server.url, str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline, report = time.monotonic() + PATIENCE, {}
        while time.monotonic() < deadline and not report.get("checks", {}).get("worker sweep", {}).get("ok"):
            try:
                report = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()
            except httpx.TransportError:
                time.sleep(0.05)
        assert report["checks"]["leases"] == {"ok": True, "required": True, "detail": ""}
        assert report["checks"]["worker follow"] == {"ok": True, "required": False, "detail": "running"}
        name = 'airis_worker_runs_total{outcome="ok",worker="sweep"}'
        while name not in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        own_redis_server.stall()
        while httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        own_redis_server.unstall()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output.decode()
    finally:
        process.kill()
        process.communicate()


async def test_once_is_once_per_installation(own_redis_server: RedisServer) -> None:
    runs: list[int] = []

    async def work(run: Run) -> None:
        runs.append(run.fence)

    async with opened(own_redis_server.url) as store:
        for _ in range(3):
            metrics = WorkerMetrics(CollectorRegistry())
            await Runner(Worker("first day", work, Once()), SystemClock(), metrics, store).run(asyncio.Event())
    assert len(runs) == 1
