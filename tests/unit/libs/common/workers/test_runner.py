"""What a runner does with time, leases, failures, stops and cancels. On a real Redis: tests/integration/libs/common/workers."""

import asyncio

import pytest

from libs.common.errors import CacheUnavailable
from libs.common.workers import Cron, Every, Interrupted, LeaseLost, Once, Retries, Run, Worker, WorkerEnded
from tests.unit.libs.common.workers.shop_floor import Floor

NO_RETRY = Retries(limit=1)


class Work:
    """Counts its runs; `seconds` long, and failing as often as `failures` says."""

    def __init__(self, floor: Floor, seconds: float = 0.0, failures: int = 0) -> None:
        self.floor = floor
        self.seconds = seconds
        self.failures = failures
        self.slots: list[float] = []
        self.fences: list[int] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, run: Run) -> None:
        self.slots.append((run.slot_ns - 1_700_000_000_000_000_000) / 1e9)
        self.fences.append(run.fence)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.floor.clock.sleep(self.seconds)
            if self.failures:
                self.failures -= 1
                raise RuntimeError("no luck")
        finally:
            self.at_once -= 1


async def test_it_runs_at_its_interval(floor: Floor) -> None:
    work = Work(floor)
    started = floor.start(Worker("refresh", work, Every(60, jitter=0), lease_seconds=0))
    await floor.clock.advance(150)
    assert work.slots == [0, 60, 120]
    assert started.runs("ok") == 3
    assert started.value("airis_worker_last_success_timestamp_seconds") == 1_700_000_120
    assert started.value("airis_worker_run_duration_seconds_count") == 3


async def test_jitter_puts_off_the_start_and_not_the_slot(floor: Floor) -> None:
    work = Work(floor)
    started = floor.start(Worker("refresh", work, Every(60, jitter=0.5), lease_seconds=0))
    await floor.clock.advance(600)
    assert 5 <= len(work.slots) <= 10
    gaps = [after - before for before, after in zip(work.slots, work.slots[1:], strict=False)]
    assert all(gap == 60 for gap in gaps), gaps
    assert 0 < started.value("airis_worker_lag_seconds") <= 30


async def test_two_processes_share_each_slot(floor: Floor) -> None:
    work = Work(floor, seconds=5)
    worker = Worker("sweep", work, Every(60, jitter=0))
    one, two = floor.start(worker, "a"), floor.start(worker, "b")
    await floor.clock.advance(300)
    assert work.slots == [0, 60, 120, 180, 240, 300][: len(work.slots)]
    assert len(work.slots) >= 5
    assert work.most_at_once == 1
    assert one.runs("ok") + two.runs("ok") >= 5
    assert work.fences == sorted(set(work.fences))


async def test_a_schedule_missed_while_down_runs_once(floor: Floor) -> None:
    work = Work(floor)
    worker = Worker("report", work, Cron("*/10 * * * *"))
    stop = asyncio.Event()
    first = floor.start(worker, stop=stop)
    await floor.clock.advance(700)
    assert len(work.slots) == 1
    stop.set()
    await floor.clock.advance(60)
    assert first.task is not None
    assert first.task.done()
    floor.clock.move(7200)
    again = floor.start(worker, "b")
    await floor.clock.advance(1)
    assert len(work.slots) == 2
    assert 0 < again.value("airis_worker_lag_seconds") <= 600


async def test_a_holder_that_died_is_followed_when_its_lease_runs_out(floor: Floor) -> None:
    work = Work(floor, seconds=100)
    worker = Worker("saga", work, Once(), lease_seconds=15)
    died = floor.start(worker, "a")
    await floor.clock.advance(20)
    assert died.task is not None
    died.task.cancel()
    floor.start(worker, "b")
    await floor.clock.advance(10)
    assert len(work.slots) == 1
    await floor.clock.advance(15)
    assert len(work.slots) == 2
    assert work.fences[1] > work.fences[0]


async def test_while_the_store_is_away_nobody_runs_and_afterwards_one_does(floor: Floor) -> None:
    work = Work(floor, seconds=1000)
    worker = Worker("alerts", work, lease_seconds=15)
    one = floor.start(worker, "a")
    await floor.clock.advance(20)
    assert work.at_once == 1
    floor.store.away = True
    await floor.clock.advance(16)
    assert work.at_once == 0, "its lease may be somebody else's by now"
    assert one.runs("lost") == 1
    with pytest.raises(CacheUnavailable):
        await one.runner.check()
    floor.start(worker, "b")
    await floor.clock.advance(600)
    assert len(work.slots) == 1
    assert one.value("airis_worker_store_failures_total") > 1
    floor.store.away = False
    await floor.clock.advance(30)
    assert work.at_once == work.most_at_once == 1
    assert len(work.slots) == 2


async def test_a_short_outage_of_the_store_disturbs_nothing(floor: Floor) -> None:
    work = Work(floor, seconds=60)
    started = floor.start(Worker("alerts", work, Once(), lease_seconds=15))
    await floor.clock.advance(6)
    floor.store.away = True
    await floor.clock.advance(6)
    floor.store.away = False
    await floor.clock.advance(60)
    assert started.runs("ok") == 1
    assert len(work.slots) == 1


async def test_a_store_that_never_answers_costs_the_lease_in_time(floor: Floor, monkeypatch) -> None:
    work = Work(floor, seconds=1000)
    started = floor.start(Worker("alerts", work, Once(), lease_seconds=15))
    await floor.clock.advance(6)
    monkeypatch.setattr(floor.store, "renew", lambda *_: floor.clock.sleep(1e6))
    await floor.clock.advance(14)
    assert work.at_once == 0
    assert started.runs("lost") == 1


async def test_what_is_done_is_recorded_when_the_store_is_back(floor: Floor) -> None:
    work = Work(floor, seconds=5)
    started = floor.start(Worker("import", work, Once(), lease_seconds=15))
    await floor.clock.advance(1)
    floor.store.away = True
    await floor.clock.advance(100)
    assert work.slots == [0]
    floor.store.away = False
    await floor.clock.advance(5)
    last = await floor.store.last("import")
    assert last is not None
    assert last.done
    assert started.task is not None
    assert started.task.done()
    assert work.slots == [0]


async def test_failures_are_tried_again_within_bounds(floor: Floor) -> None:
    work = Work(floor, failures=2)
    started = floor.start(Worker("sweep", work, Once(), retries=Retries(3, 1.0, 60.0)))
    await floor.clock.advance(10)
    assert len(work.slots) == 3
    assert started.runs("ok") == 1
    assert started.value("airis_worker_retries_total") == 2


async def test_a_run_that_keeps_failing_gives_way_to_the_next_slot(floor: Floor) -> None:
    work = Work(floor, failures=3)
    started = floor.start(Worker("sweep", work, Every(600, jitter=0), retries=Retries(3, 1.0, 60.0)))
    await floor.clock.advance(500)
    assert len(work.slots) == 3
    assert started.runs("failed") == 1
    await floor.clock.advance(200)
    assert work.slots[3:] == [600]
    assert started.runs("ok") == 1


async def test_a_worker_without_end_that_ends_or_fails_takes_its_role_along(floor: Floor) -> None:
    ends = floor.start(Worker("poll", Work(floor), lease_seconds=0, retries=NO_RETRY))
    fails = floor.start(Worker("consume", Work(floor, failures=9), lease_seconds=0, retries=Retries(2, 1.0, 1.0)))
    await floor.clock.advance(5)
    assert ends.task is not None
    assert isinstance(ends.task.exception(), WorkerEnded)
    assert fails.task is not None
    assert isinstance(fails.task.exception(), RuntimeError)


async def test_failures_long_apart_are_not_counted_together(floor: Floor) -> None:
    work = Work(floor, seconds=100, failures=50)
    started = floor.start(Worker("consume", work, lease_seconds=0, retries=Retries(2, 1.0, 1.0)))
    await floor.clock.advance(1000)
    assert started.task is not None
    assert not started.task.done()
    assert len(work.slots) >= 9


async def test_a_stop_lets_a_run_finish(floor: Floor) -> None:
    work = Work(floor, seconds=8)
    started = floor.start(Worker("sweep", work, Once(), drain_seconds=10))
    await floor.clock.advance(5)
    floor.stop.set()
    await floor.clock.advance(5)
    assert started.task is not None
    assert started.task.done()
    assert started.runs("ok") == 1


async def test_a_run_that_does_not_drain_is_ended_and_starts_again_later(floor: Floor) -> None:
    work, stop = Work(floor, seconds=100), asyncio.Event()
    worker = Worker("sweep", work, Once(), drain_seconds=10)
    started = floor.start(worker, stop=stop)
    await floor.clock.advance(5)
    stop.set()
    await floor.clock.advance(9)
    assert work.at_once == 1
    await floor.clock.advance(2)
    assert work.at_once == 0
    assert started.runs("interrupted") == 1
    floor.start(worker, "b")
    await floor.clock.advance(1)
    assert work.at_once == 1, "its lease was given back, so nobody waits for it to run out"


async def test_a_run_goes_on_from_its_checkpoint(floor: Floor) -> None:
    seen: list[int] = []

    async def count(run: Run) -> None:
        for number in range(int(run.checkpoint or 0), 10):
            if run.stopping.is_set():
                raise Interrupted
            seen.append(number)
            run.report(number + 1, 10, "counting")
            await run.save(str(number + 1))
            await floor.clock.sleep(1)

    stop = asyncio.Event()
    floor.start(Worker("count", count, Once()), stop=stop)
    await floor.clock.advance(3.5)
    stop.set()
    await floor.clock.advance(5)
    assert seen == [0, 1, 2, 3]
    floor.start(Worker("count", count, Once()), "b")
    await floor.clock.advance(30)
    assert seen == list(range(10))


async def test_progress_and_its_eta_can_be_read_from_outside(floor: Floor) -> None:
    async def count(run: Run) -> None:
        for number in range(100):
            run.report(number, 100, "counting")
            await floor.clock.sleep(1)

    started = floor.start(Worker("count", count, Once(), lease_seconds=15))
    await floor.clock.advance(25)
    status = await floor.store.status("count")
    assert status.holder == "a"
    assert status.progress is not None
    assert 15 <= status.progress.done <= 25
    assert status.progress.eta_seconds == pytest.approx(100 - status.progress.done)
    assert "%, counting" in await started.runner.check()


async def test_a_cancel_ends_a_run_for_good(floor: Floor) -> None:
    async def work(run: Run) -> None:
        await run.save("half")
        await run.stopping.wait()
        assert run.cancelled
        raise Interrupted

    worker = Worker("backfill", work, Once())
    started = floor.start(worker)
    await floor.clock.advance(1)
    assert await floor.store.request_cancel("backfill")
    await floor.clock.advance(20)
    assert started.runs("cancelled") == 1
    assert started.task is not None
    assert started.task.done()
    status = await floor.store.status("backfill")
    assert (status.outcome, status.holder) == ("cancelled", "")
    again = floor.start(worker, "b")
    await floor.clock.advance(1)
    assert again.task is not None
    assert again.task.done()
    assert again.runs("ok") == 0


async def test_what_an_old_holder_saves_is_refused(floor: Floor) -> None:
    async def work(run: Run) -> None:
        await floor.store.acquire("saga", "thief", 1e6)
        await run.save("mine")

    floor.store.acquire = _stealing(floor)  # type: ignore[method-assign]
    started = floor.start(Worker("saga", work, Once(), retries=Retries(5)))
    await floor.clock.advance(1)
    assert started.runs("lost") == 1


def _stealing(floor: Floor):
    """A store in which a lease can be taken from its holder, as happens to one that stood still for too long."""
    honest = floor.store.acquire

    async def acquire(job: str, holder: str, seconds: float):
        if holder == "thief":
            floor.store._jobs[job].until = 0.0
        return await honest(job, holder, seconds)

    return acquire


async def test_a_worker_without_a_lease_has_no_checkpoint(floor: Floor) -> None:
    async def work(run: Run) -> None:
        await run.save("x")

    started = floor.start(Worker("poll", work, lease_seconds=0, retries=NO_RETRY))
    await floor.clock.advance(1)
    assert started.task is not None
    assert isinstance(started.task.exception(), ValueError)


async def test_a_lost_lease_is_not_tried_again_in_the_same_run(floor: Floor) -> None:
    calls: list[int] = []

    async def work(run: Run) -> None:
        calls.append(run.fence)
        raise LeaseLost("saga")

    floor.start(Worker("saga", work, Once(), retries=Retries(5)))
    await floor.clock.advance(1)
    assert len(calls) == 1
    await floor.clock.advance(10)
    assert len(set(calls)) == len(calls) > 1, "each under a token of its own"
