"""Runs a worker: waits for its time, takes the lease, keeps it, tries again, drains, and says what became of it.

Two holders never work at once as far as leases can promise it: a holder that cannot renew stops before its lease runs out by
its own clock. What a process does that stood still meanwhile (a suspended machine, a blocked thread) only the fencing token
can refuse, at the place that is written to (fencing.py).
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Protocol

import structlog

from libs.common.clock import Clock, set_within, within
from libs.common.errors import CacheUnavailable
from libs.common.workers.metrics import WorkerMetrics
from libs.common.workers.schedules import NANOS, LastRun
from libs.common.workers.store import Acquired, JobStore, Lease, LeaseLost, Outcome
from libs.common.workers.worker import Interrupted, Run, Worker, new_holder

log = structlog.get_logger(__name__)

# Clocks of machines and monotonic clocks drift; sleeping longer than this would let them.
_LONGEST_SLEEP_SECONDS = 60.0
# What a lease is counted shorter than the store counts it: clocks run at different speeds, and ending takes a moment.
_SAFE = 0.9
# Too short for a question to the store.
_MOMENT_SECONDS = 0.001
# A function that ran this long had not failed at starting; its back-off begins anew.
_SETTLED_SECONDS = 60.0


class WorkerEnded(Exception):
    """A worker without a schedule returned although nobody had asked it to stop."""


class Runs(Protocol):
    """A Runner or Shards."""

    async def run(self, stop: asyncio.Event) -> None: ...
    async def check(self) -> str: ...


class Runner:
    """One worker in one process. `run` it; `check` is its line in the readiness report."""

    def __init__(
        self,
        worker: Worker,
        clock: Clock,
        metrics: WorkerMetrics,
        store: JobStore | None = None,
        *,
        random: Random | None = None,
        holder: str | None = None,
        job: str | None = None,
    ) -> None:
        """`store` may be left out without a lease. `job` is the lease's key where it is not the worker's name (shards)."""
        if worker.lease_seconds and store is None:
            raise ValueError(f"worker {worker.name}: a lease needs a store")
        self._worker = worker
        self._clock = clock
        self._metrics = metrics
        self._store = store if worker.lease_seconds else None
        self._random = random or Random()
        self._holder = holder or new_holder()
        self._job = job or worker.name
        self._last: LastRun | None = None  # without a store
        self._plan: tuple[LastRun | None, int, int] | None = None
        self._run: Run | None = None
        self._remark = "starting"
        self._away: CacheUnavailable | None = None
        metrics.last_success.labels(worker.name)  # exported as 0 before the first run
        metrics.leases.labels(worker.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until the schedule has no further slot. Raises what a worker without a schedule failed with."""
        while not stop.is_set():
            try:
                pause = await self._look(stop)
            except CacheUnavailable as error:
                pause = self._is_away(error)
            if pause is None:
                self._remark = "done, nothing more is due"
                return
            await set_within(self._clock, pause, stop)
        self._remark = "stopped"

    async def check(self) -> str:
        """What it does at the moment. Raises CacheUnavailable while the store of leases is away."""
        if self._away is not None:
            raise self._away
        if self._run is None:
            return self._remark
        told = self._run.progress
        if told is None:
            return "running"
        share = f", {100 * told.done / told.total:.0f} %" if told.total else ""
        return f"running{share}{', ' + told.message if told.message else ''}"

    async def _look(self, stop: asyncio.Event) -> float | None:
        """Run when it is time. Seconds until the next look, None when there will be no further slot."""
        last = await self._store.last(self._job) if self._store else self._last
        self._away = None
        now = self._clock.now_ns()
        planned = self._planned(last, now)
        if planned is None:
            return None
        slot, start = planned
        if start > now:
            self._remark = f"next run in {(start - now) / NANOS:.0f} s"
            return min((start - now) / NANOS, _LONGEST_SLEEP_SECONDS)
        if self._store is None:
            await self._execute(stop, slot, None, 0.0)
            return 0.0
        asked = self._clock.monotonic()
        acquired = await self._store.acquire(self._job, self._holder, self._worker.lease_seconds)
        if acquired is None:
            self._remark = "another process holds the lease"
            return self._beat() * self._random.uniform(0.8, 1.2)
        if acquired.last != last:  # somebody else ran it between our question and the lease
            await self._store.release(acquired.lease)
            return 0.0
        outcome = await self._execute(stop, slot, acquired, asked)
        return 0.0 if outcome in {"ok", "failed"} else self._beat() * self._random.uniform(0.8, 1.2)

    def _planned(self, last: LastRun | None, now: int) -> tuple[int, int] | None:
        """Slot and start. Kept until another run has ended, so that its jitter is drawn once."""
        schedule = self._worker.schedule
        if schedule is None:
            return now, now
        if self._plan is None or self._plan[0] != last:
            slot = schedule.slot(last, now)
            if slot is None:
                return None
            self._plan = last, slot, slot + round(self._random.uniform(0, schedule.jitter_seconds) * NANOS)
        return self._plan[1:]

    async def _execute(self, stop: asyncio.Event, slot: int, acquired: Acquired | None, asked: float) -> Outcome:
        name, began = self._worker.name, self._clock.monotonic()
        run = self._run = Run(slot, self._clock, self._store, acquired)
        self._metrics.lag.labels(name).set(max(self._clock.now_ns() - slot, 0) / NANOS)
        try:
            if acquired is None:
                outcome, error = await self._work(stop, run, None, 0.0)
                self._last = LastRun(slot, outcome != "failed")
            else:
                with self._metrics.leases.labels(name).track_inprogress():
                    outcome, error = await self._work(stop, run, acquired.lease, asked)
                    await self._hand_back(stop, acquired.lease, slot, outcome)
        finally:
            self._run = None
        self._remark = f"last run: {outcome}"
        self._metrics.runs.labels(name, outcome).inc()
        self._metrics.duration.labels(name).observe(self._clock.monotonic() - began)
        if outcome == "ok":
            self._metrics.last_success.labels(name).set(self._clock.now_ns() / NANOS)
        elif error is not None:
            log.error("worker_failed", worker=name, job=self._job, exc_info=error)
            if self._worker.schedule is None:
                raise error
        else:
            log.info("worker_ended", worker=name, job=self._job, outcome=outcome)
        return outcome

    async def _work(
        self, stop: asyncio.Event, run: Run, lease: Lease | None, asked: float
    ) -> tuple[Outcome, Exception | None]:
        """The function and whoever keeps its lease; the first that ends decides."""
        working = asyncio.create_task(self._tries(run), name=f"worker-{self._job}")
        keeping = asyncio.create_task(self._keep(run, lease, asked), name=f"worker-{self._job}-lease")
        stopping = asyncio.create_task(self._pass_on(stop, run))
        draining = asyncio.create_task(self._drained(run))
        try:
            await asyncio.wait({working, keeping, draining}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
            lost = keeping.done() and not keeping.cancelled() and isinstance(keeping.exception(), LeaseLost)
            return self._verdict(working, run, lost=lost)
        finally:
            for task in (working, keeping, stopping, draining):
                task.cancel()
            await asyncio.gather(working, keeping, stopping, draining, return_exceptions=True)

    def _verdict(self, working: asyncio.Task[None], run: Run, *, lost: bool) -> tuple[Outcome, Exception | None]:
        if working.cancelled():
            return ("lost" if lost else "cancelled" if run.cancelled else "interrupted"), None
        error = working.exception()
        if error is None:
            return "ok", None
        if isinstance(error, LeaseLost):
            return "lost", None
        if isinstance(error, Interrupted):
            return ("cancelled" if run.cancelled else "interrupted"), None
        if not isinstance(error, Exception):
            raise error
        return "failed", error

    async def _tries(self, run: Run) -> None:
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._work_once(run)
            except (Interrupted, LeaseLost):
                raise
            except Exception as error:
                failures = 1 if self._clock.monotonic() - began > _SETTLED_SECONDS else failures + 1
                if run.stopping.is_set():
                    raise Interrupted from error
                if failures >= self._worker.retries.limit:
                    raise
                pause = self._worker.retries.pause(failures) * self._random.uniform(0.8, 1.2)
                self._metrics.retries.labels(self._worker.name).inc()
                log.warning(
                    "worker_tries_again", worker=self._worker.name, job=self._job, seconds=pause, exc_info=error
                )
                if await set_within(self._clock, pause, run.stopping):
                    raise Interrupted from error
            else:
                return

    async def _work_once(self, run: Run) -> None:
        await self._worker.work(run)
        if self._worker.schedule is None and not run.stopping.is_set():
            raise WorkerEnded(self._job)

    async def _keep(self, run: Run, lease: Lease | None, asked: float) -> None:
        """Renew until cancelled. Raises LeaseLost, at the latest when the store may have given it to somebody else."""
        if lease is None or self._store is None:
            await asyncio.Event().wait()
            return
        seconds, pause = self._worker.lease_seconds, self._beat()
        deadline = asked + seconds * _SAFE
        while True:
            await self._clock.sleep(min(pause, max(deadline - self._clock.monotonic(), 0)))
            asked = self._clock.monotonic()
            if deadline - asked < _MOMENT_SECONDS:
                raise LeaseLost(self._job)
            try:
                cancel = await within(self._clock, deadline - asked, self._store.renew(lease, seconds, run.progress))
            except TimeoutError:
                raise LeaseLost(self._job) from None
            except CacheUnavailable as error:
                self._is_away(error)
                pause = self._beat() / 4
            else:
                self._away, pause, deadline = None, self._beat(), asked + seconds * _SAFE
                if cancel and not run.cancelled:
                    log.info("worker_cancel_requested", worker=self._worker.name, job=self._job)
                    run.cancel()

    async def _hand_back(self, stop: asyncio.Event, lease: Lease, slot: int, outcome: Outcome) -> None:
        """Record the end where there is one, and release. A store that is away while we stop is no error: leases run out."""
        if outcome == "lost" or self._store is None:
            return
        try:
            if self._worker.schedule is not None and outcome != "interrupted":
                await self._record(self._store, stop, lease, slot, outcome)
            await self._store.release(lease)
        except LeaseLost:
            log.warning("worker_end_not_recorded", worker=self._worker.name, job=self._job, outcome=outcome)
        except CacheUnavailable as error:
            self._is_away(error)

    async def _record(self, store: JobStore, stop: asyncio.Event, lease: Lease, slot: int, outcome: Outcome) -> None:
        """For as long as it takes, because what is done and not recorded would be done again; a stop shortens it."""
        patience: float | None = None
        while True:
            try:
                await store.finish(lease, slot, outcome, self._clock.now_ns())
            except CacheUnavailable as error:
                now = self._clock.monotonic()
                if stop.is_set():
                    patience = patience or now + self._worker.drain_seconds
                    if now >= patience:
                        raise
                await self._clock.sleep(self._is_away(error))
            else:
                return

    async def _pass_on(self, stop: asyncio.Event, run: Run) -> None:
        await stop.wait()
        run.stopping.set()

    async def _drained(self, run: Run) -> None:
        await run.stopping.wait()
        await self._clock.sleep(self._worker.drain_seconds)
        log.warning("worker_did_not_drain", worker=self._worker.name, job=self._job, seconds=self._worker.drain_seconds)

    def _beat(self) -> float:
        return (self._worker.lease_seconds or 15.0) / 3

    def _is_away(self, error: CacheUnavailable) -> float:
        """Count it; seconds until the next question."""
        self._metrics.store_failures.labels(self._worker.name).inc()
        if self._away is None:
            log.warning("worker_store_away", worker=self._worker.name, job=self._job)
        self._away = error
        return min(self._beat(), 1.0) * self._random.uniform(0.8, 1.2)


async def run_all(workers: Sequence[Runs], stop: asyncio.Event) -> None:
    """All until `stop`. Raises what the first of them fails with, the others being cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.run(stop))
        await stop.wait()  # a worker whose schedule is over is no reason to end
