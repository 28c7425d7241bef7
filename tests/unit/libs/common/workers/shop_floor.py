"""A worker under a clock that tests move, its store in memory, and what became of its runs."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from prometheus_client import CollectorRegistry

from libs.common.metrics import sample_value
from libs.common.testing import FakeClock
from libs.common.testing.memory_jobs import MemoryJobStore
from libs.common.workers import Runner, Worker, WorkerMetrics


@dataclass
class Floor:
    """`start` runners; they share the store and the clock, each has its own registry, as processes do."""

    clock: FakeClock = field(default_factory=FakeClock)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryJobStore(self.clock)
        self.stop = asyncio.Event()

    def runner(self, worker: Worker, holder: str = "a") -> "Started":
        registry = CollectorRegistry()
        store = self.store if worker.lease_seconds else None
        runner = Runner(worker, self.clock, WorkerMetrics(registry), store, random=Random(1), holder=holder)
        return Started(runner, registry, worker.name)

    def start(self, worker: Worker, holder: str = "a", stop: asyncio.Event | None = None) -> "Started":
        started = self.runner(worker, holder)
        started.task = asyncio.create_task(started.runner.run(stop or self.stop))
        self.tasks.append(started.task)
        return started

    async def close(self) -> None:
        self.stop.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@dataclass
class Started:
    runner: Runner
    registry: CollectorRegistry
    name: str
    task: asyncio.Task[None] | None = None

    def runs(self, outcome: str) -> int:
        return int(sample_value(self.registry, "airis_worker_runs_total", worker=self.name, outcome=outcome))

    def value(self, metric: str) -> float:
        return sample_value(self.registry, metric, worker=self.name)
