"""The background backfill: all of the past, no minute of it twice, whatever happens on the way."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult
from prometheus_client import CollectorRegistry

from demo import filling, pipelines
from demo.filling import SimulatedShop
from demo.pace import Pace
from demo.past import HOUR, NANOS, STEP, Past, Plan, worker
from demo.pipelines import Exporters
from demo.settings import BACKFILL_JOB, DemoSettings
from libs.common.clock import SystemClock
from libs.common.testing.memory_jobs import MemoryJobStore
from libs.common.workers import Retries, Runner, WorkerMetrics
from tests.unit.demo.shops import START_NS

HOURS = 0.2


@given(st.integers(0, 40 * HOUR), st.integers(START_NS, START_NS + HOUR))
def test_a_plan_covers_everything_once_and_begins_with_the_newest(length: int, end: int) -> None:
    plan = Plan.of(end - length, end)
    assert sum(later - earlier for earlier, later in plan.left) == length
    assert all(older[1] == newer[0] for newer, older in pairwise(plan.left))
    if plan.left:
        assert (plan.left[0][1], plan.left[-1][0]) == (end, end - length)
        assert plan.left[0][1] - plan.left[0][0] <= HOUR
    assert Plan.load(plan.dump()) == plan


def test_what_was_sent_is_not_left() -> None:
    plan = Plan.of(START_NS, START_NS + 2 * HOUR)
    assert plan.seconds_done == 0
    half = plan.sent_up_to(START_NS + HOUR + HOUR // 2)
    assert half.seconds_done == 1800
    assert half.sent_up_to(START_NS + 2 * HOUR).left == ((START_NS, START_NS + HOUR),)


class Ledger:
    """What all shops of a test have sent, as (from, to) of each step. `before` may break a step."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.finished = self.closed = 0
        self.before: Callable[[], None] = lambda: None

    def open(self, opening_ns: int) -> "_Shop":
        return _Shop(self, opening_ns)

    def minutes(self) -> list[int]:
        return sorted(minute for start, end in self.steps for minute in range(start // STEP, end // STEP))


class _Shop:
    def __init__(self, ledger: Ledger, now_ns: int) -> None:
        self._ledger = ledger
        self._now = now_ns

    def live_through(self, time_ns: int, *, collect: bool) -> None:
        self._ledger.before()
        self._ledger.steps.append((self._now, time_ns))
        self._now = time_ns

    def finish(self) -> None:
        self._ledger.finished += 1

    def close(self) -> None:
        self._ledger.closed += 1


class Machine:
    """Starts the backfill's runner as often as a test wants, on one store."""

    def __init__(self, hours: float = HOURS, first: int | None = None) -> None:
        self.ledger = Ledger()
        self.store = MemoryJobStore(SystemClock())
        self.hours = hours
        self.first = first
        self.stop = asyncio.Event()

    async def run(self) -> str | None:
        async def first_record(start: int, end: int) -> int | None:
            return self.first

        clock = SystemClock()
        past = Past(self.hours, START_NS, self.ledger.open, first_record, Pace(None, clock), clock)
        metrics = WorkerMetrics(CollectorRegistry())
        hasty = replace(worker(past), lease_seconds=0.3, retries=Retries(5, 0.01, 0.01))
        await Runner(hasty, clock, metrics, self.store).run(self.stop)
        return (await self.store.status(BACKFILL_JOB)).outcome


def every_minute(hours: float = HOURS, end: int = START_NS) -> list[int]:
    return list(range((end - round(hours * HOUR)) // STEP, end // STEP))


async def test_it_fills_the_past_once_and_not_again() -> None:
    machine = Machine()
    assert await machine.run() == "ok"
    assert machine.ledger.minutes() == every_minute()
    assert machine.ledger.finished == machine.ledger.closed > 0
    assert await machine.run() == "ok"
    assert machine.ledger.minutes() == every_minute()


async def test_what_is_there_already_is_left_alone() -> None:
    machine = Machine(first=START_NS - HOUR // 10)
    assert await machine.run() == "ok"
    assert machine.ledger.minutes() == every_minute(0.1, START_NS - HOUR // 10)
    everything = Machine(first=START_NS - HOUR)
    assert await everything.run() == "ok"
    assert everything.ledger.minutes() == []


async def test_a_stopped_one_goes_on_where_it_was() -> None:
    machine = Machine()
    machine.ledger.before = lambda: len(machine.ledger.steps) == 4 and machine.stop.set()
    await machine.run()
    assert 4 <= len(machine.ledger.steps) < len(every_minute())
    assert machine.ledger.finished == 1, "requests in progress were let out"
    machine.stop, machine.ledger.before = asyncio.Event(), lambda: None
    assert await machine.run() == "ok"
    assert machine.ledger.minutes() == every_minute()


async def test_a_step_that_failed_is_lost_and_never_sent_twice() -> None:
    failures = iter([False, False, True] + [False] * 100)

    def fail() -> None:
        if next(failures):
            raise pipelines.ReceiverUnavailable("away")

    machine = Machine()
    machine.ledger.before = fail
    assert await machine.run() == "ok"
    minutes = machine.ledger.minutes()
    assert len(minutes) == len(set(minutes)) == len(every_minute()) - 1


async def test_a_cancel_ends_it_for_good() -> None:
    machine = Machine(hours=24)
    machine.ledger.before = lambda: time.sleep(0.002)
    running = asyncio.create_task(machine.run())
    while len(machine.ledger.steps) < 3:
        await asyncio.sleep(0.01)
    assert await machine.store.request_cancel(BACKFILL_JOB)
    assert await running == "cancelled"
    filled = machine.ledger.minutes()
    assert len(filled) < 24 * 60
    assert machine.ledger.finished == 1
    assert await machine.run() == "cancelled"
    assert machine.ledger.minutes() == filled


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    """What the exporters of simulated shops were given."""
    sent: dict[str, list] = {"spans": [], "logs": [], "metrics": []}

    class Exporter:
        def __init__(self, kind: str, result: object) -> None:
            self._kind, self._result = kind, result

        def export(self, batch: object, **_: object) -> object:
            sent[self._kind].append(batch)
            return self._result

        def shutdown(self, **_: object) -> None:
            pass

    exporters = Exporters(
        Exporter("spans", SpanExportResult.SUCCESS),
        Exporter("logs", LogRecordExportResult.SUCCESS),
        Exporter("metrics", MetricExportResult.SUCCESS),
    )
    monkeypatch.setattr(pipelines, "open_exporters", lambda _: exporters)
    return sent


def test_the_simulated_past_has_all_signals_each_at_its_time(sent: dict[str, list]) -> None:
    settings = DemoSettings(rate=2.0)
    shop, now = SimulatedShop(settings, "seed", START_NS + HOUR, START_NS), START_NS
    for minute in range(6):
        now += STEP
        shop.live_through(now, collect=minute == 4)
    shop.finish()
    shop.close()
    spans = [span for batch in sent["spans"] for span in batch]
    records = [record.log_record for batch in sent["logs"] for record in batch]
    assert len(spans) > 500
    assert all(START_NS <= span.start_time <= span.end_time <= now + filling._FINISH_NS for span in spans)
    assert all(START_NS <= record.timestamp <= now + filling._FINISH_NS for record in records)
    assert len(records) > 50
    (metrics,) = sent["metrics"]
    times = {
        point.time_unix_nano
        for resource in metrics.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    assert times == {START_NS + 5 * STEP}
    minutes = {(span.start_time - START_NS) // STEP for span in spans}
    assert minutes >= set(range(6))
    ids = [(span.context.trace_id, span.context.span_id) for span in spans]
    assert len(ids) == len(set(ids))
    roots = {span.context.trace_id for span in spans if span.parent is None}
    assert {span.context.trace_id for span in spans} == roots, "what was in progress at the end was let out"


def test_seconds_are_what_progress_counts() -> None:
    assert Plan.of(0, 90 * NANOS).total == 90
