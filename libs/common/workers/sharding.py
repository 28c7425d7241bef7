"""Work shared by replicas: keys fall into a fixed number of shards, and each shard belongs to one living member.

Who a shard belongs to is decided by rendezvous hashing over the living members, so that one that comes or goes moves only its own
share. Members may disagree for a moment; each shard's lease keeps it from being worked on twice meanwhile, and one whose
owner has died is free as soon as that lease has run out.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from random import Random

import structlog

from libs.common.clock import Clock, set_within
from libs.common.errors import CacheUnavailable
from libs.common.workers.metrics import WorkerMetrics
from libs.common.workers.runner import Runner
from libs.common.workers.store import JobStore
from libs.common.workers.worker import Run, Worker, new_holder

log = structlog.get_logger(__name__)

ShardWork = Callable[[Run, int], Awaitable[None]]


def shard_of(key: str, shards: int) -> int:
    """The shard of a key: the same on every machine and in every release."""
    return _weight(key) % shards


def owner_of(shard: int, members: Collection[str]) -> str | None:
    """The member with the highest random weight for this shard; None when there is no member."""
    return max(members, key=lambda member: (_weight(f"{shard}/{member}"), member), default=None)


class Shards:
    """A worker of which each of `count` shards runs in one process at a time. `work` gets the shard's number.

    `worker` says name, lease, drain and retries; its `work` is not used and its schedule is each shard's.
    """

    def __init__(
        self,
        worker: Worker,
        count: int,
        work: ShardWork,
        clock: Clock,
        metrics: WorkerMetrics,
        store: JobStore,
        *,
        random: Random | None = None,
        holder: str | None = None,
    ) -> None:
        if count < 1 or worker.lease_seconds <= 0:
            raise ValueError(f"worker {worker.name}: shards need a lease, and there must be one at least")
        self._worker = worker
        self._count = count
        self._work = work
        self._clock = clock
        self._metrics = metrics
        self._store = store
        self._random = random or Random()
        self._holder = holder or new_holder()
        self._running: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._away: CacheUnavailable | None = None

    @property
    def mine(self) -> frozenset[int]:
        """Shards this member works on or waits for."""
        return frozenset(self._running)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then all shards drain and are given back. Raises what a shard failed with."""
        beat = self._worker.lease_seconds / 3
        try:
            while not stop.is_set():
                try:
                    members = await self._store.meet(self._worker.name, self._holder, self._worker.lease_seconds)
                except CacheUnavailable as error:  # leases see to it that nobody works on what may be another's
                    if self._away is None:
                        log.warning("worker_store_away", worker=self._worker.name)
                    self._away = error
                else:
                    self._away = None
                    self._assign({s for s in range(self._count) if owner_of(s, members) == self._holder})
                self._raise_failures()
                await set_within(self._clock, beat * self._random.uniform(0.8, 1.0), stop)
            self._assign(set())
            await asyncio.gather(*(task for task, _ in self._running.values()))
            try:
                await self._store.leave(self._worker.name, self._holder)
            except CacheUnavailable:
                log.info("worker_left_to_expire", worker=self._worker.name)
        finally:
            for task, _ in self._running.values():
                task.cancel()
            await asyncio.gather(*(task for task, _ in self._running.values()), return_exceptions=True)
            self._running.clear()

    async def check(self) -> str:
        """Which shards are here. Raises CacheUnavailable while the store of leases is away."""
        if self._away is not None:
            raise self._away
        return f"{len(self._running)} of {self._count} shards"

    def _assign(self, wanted: set[int]) -> None:
        for shard, (task, over) in list(self._running.items()):
            if shard not in wanted:
                over.set()
            elif over.is_set() and task.done():  # it was given up and has come back
                del self._running[shard]
        for shard in wanted - self._running.keys():
            over = asyncio.Event()
            runner = self._runner(shard)
            self._running[shard] = asyncio.create_task(runner.run(over), name=f"{self._worker.name}-{shard}"), over

    def _runner(self, shard: int) -> Runner:
        worker = replace(self._worker, work=lambda run: self._work(run, shard))
        return Runner(
            worker,
            self._clock,
            self._metrics,
            self._store,
            random=self._random,
            holder=self._holder,
            job=f"{worker.name}/{shard}",
        )

    def _raise_failures(self) -> None:
        for shard, (task, _) in list(self._running.items()):
            if task.done():
                del self._running[shard]
                task.result()


def _weight(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
