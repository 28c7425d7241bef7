"""The shop's past: filled in once per installation, in the background, by a process that gives way to everybody else.

The newest hour comes first, since that is what people look at. Before each simulated minute is sent, the checkpoint says that it was: a
killed process loses a minute of history rather than sending one twice.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from demo.pace import Pace
from demo.settings import BACKFILL_JOB, DemoSettings
from libs.common.clock import Clock, set_within
from libs.common.workers import Interrupted, Once, Retries, Run, Worker

log = structlog.get_logger(__name__)

NANOS = 1_000_000_000
HOUR = 3600 * NANOS
STEP = 60 * NANOS
# Going back from now, in hours; what is left is one more piece. Each piece is a shop that was opened anew, as by a deployment.
_PIECES = (1, 5, 6, 6)
# Points of the past are read on charts of hours, where a point every five minutes is more than enough.
_STEPS_PER_COLLECTION = 5
# How long ago a fault began and how long it lasted: something for a newcomer to find.
INCIDENTS = ("payment-errors@5h/20m", "checkout-latency@14h/25m")

# The engine and the writer have just started; let them catch their breath.
_START_SECONDS = 3.0
_AGAIN_SECONDS = 30.0
_STARTS = 5
_END_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left: pieces as (start, end) in unix nanoseconds, in the order in which they are filled. `total` in seconds."""

    left: tuple[tuple[int, int], ...]
    total: float

    @classmethod
    def of(cls, start_ns: int, end_ns: int) -> "Plan":
        """All of it, newest first."""
        pieces, end = [], end_ns
        for hours in (*_PIECES, (end_ns - start_ns) / HOUR):
            begin = max(start_ns, end - round(hours * HOUR))
            if begin < end:
                pieces.append((begin, end))
            end = begin
        return cls(tuple(pieces), max(end_ns - start_ns, 0) / NANOS)

    @classmethod
    def load(cls, checkpoint: str) -> "Plan":
        content = json.loads(checkpoint)
        return cls(tuple((start, end) for start, end in content["left"]), content["total"])

    def dump(self) -> str:
        return json.dumps({"left": self.left, "total": self.total})

    def sent_up_to(self, time_ns: int) -> "Plan":
        """The same without the first piece's beginning."""
        (_, end), *rest = self.left
        first = [(time_ns, end)] if time_ns < end else []
        return Plan((*first, *rest), self.total)

    @property
    def seconds_done(self) -> float:
        return self.total - sum(end - start for start, end in self.left) / NANOS


class Shop(Protocol):
    """A shop opened at some past time; its telemetry is sent as it is made."""

    def live_through(self, time_ns: int, *, collect: bool) -> None:
        """Run up to then, send what happened, with points of all metrics if asked. Blocks. Raises ReceiverUnavailable."""
        ...

    def finish(self) -> None:
        """Let requests in progress end, and send that. Blocks. Raises ReceiverUnavailable."""
        ...

    def close(self) -> None: ...


class Past:
    """The work of the backfill: `fill` is the worker's function."""

    def __init__(
        self,
        hours: float,
        until_ns: int,
        open_shop: Callable[[int], Shop],
        first_record: Callable[[int, int], Awaitable[int | None]],
        pace: Pace,
        clock: Clock,
    ) -> None:
        """`open_shop` takes the opening time; `first_record(start, end)` is the earliest telemetry that is there already."""
        self._hours = hours
        self._until_ns = until_ns
        self._open_shop = open_shop
        self._first_record = first_record
        self._pace = pace
        self._clock = clock

    async def fill(self, run: Run) -> None:
        """All that is left. Raises Interrupted when stopped, ReceiverUnavailable."""
        plan = Plan.load(run.checkpoint) if run.checkpoint else await self._plan()
        while plan.left:
            plan = await self._fill_piece(run, plan)
        log.info("past filled in", hours=round(plan.total / 3600, 1))

    async def _plan(self) -> Plan:
        start = self._until_ns - round(self._hours * HOUR)
        first = await self._first_record(start, self._until_ns)
        end = self._until_ns if first is None else first // STEP * STEP
        return Plan.of(start, max(start, end))

    async def _fill_piece(self, run: Run, plan: Plan) -> Plan:
        (now, end), steps = plan.left[0], 0
        shop = await asyncio.to_thread(self._open_shop, now)
        try:
            while now < end and not run.stopping.is_set():
                now, steps = min(end, now + STEP), steps + 1
                plan = plan.sent_up_to(now)
                await run.save(plan.dump())
                began = self._clock.monotonic()
                collect = steps % _STEPS_PER_COLLECTION == 0 or now == end
                await asyncio.to_thread(shop.live_through, now, collect=collect)
                run.report(plan.seconds_done, plan.total, f"the past {plan.total / 3600:.0f} h of the demo shop")
                await self._pace.rest(self._clock.monotonic() - began, run.stopping)
            await asyncio.to_thread(shop.finish)
        finally:
            await asyncio.to_thread(shop.close)
        if run.stopping.is_set():
            raise Interrupted
        return plan


def worker(past: Past) -> Worker:
    """The backfill as a worker."""
    return Worker(BACKFILL_JOB, past.fill, Once(), lease_seconds=30.0, drain_seconds=8.0, retries=Retries(5, 2.0, 60.0))


async def fill_in_background(settings: DemoSettings, clock: Clock, stop: asyncio.Event) -> None:
    """Let a process of its own fill the past until it has, or until `stop`. Started again when it fails."""
    until_ns = clock.now_ns()
    if await set_within(clock, _START_SECONDS, stop):
        return
    for _ in range(_STARTS):
        code = await _run_once(settings, until_ns, stop)
        if code == 0 or stop.is_set():
            return
        log.warning("backfill ended, starting it again", status=code, seconds=_AGAIN_SECONDS)
        if await set_within(clock, _AGAIN_SECONDS, stop):
            return
    log.error("backfill given up; airis demo backfill fills the past by hand")


async def _run_once(settings: DemoSettings, until_ns: int, stop: asyncio.Event) -> int:
    """Its exit status. With `stop` it is told to end and has some seconds for it."""
    command = ("-m", "demo.filling", "--until", str(until_ns), "--hours", repr(settings.backfill_hours))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=asyncio.subprocess.DEVNULL)
    ending, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            process.terminate()
            await asyncio.wait({ending}, timeout=_END_SECONDS)
        return ending.result() if ending.done() else -1
    finally:
        with suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
        stopping.cancel()
        await asyncio.gather(ending, stopping, return_exceptions=True)


def give_way() -> None:
    """Let every other process have the processor first."""
    with suppress(OSError):
        os.nice(10)


async def first_shop_traffic(settings: DemoSettings, start_ns: int, end_ns: int) -> int | None:
    """When the shop's first request of this range was, to some minutes; None without any. Raises httpx.HTTPError."""
    import httpx  # noqa: PLC0415 - only the filling process asks, and it once

    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    async with httpx.AsyncClient(base_url=settings.api_url, headers=headers, timeout=30, trust_env=False) as client:
        params = {"start": str(start_ns), "end": str(end_ns)}
        answer: dict[str, Any] = (await client.get("/api/v1/services", params=params)).raise_for_status().json()
    for service in answer["services"]:
        if service["service"] == "storefront":
            series = service["series"]
            # The last step may reach beyond the range, where the live shop sends already.
            last = end_ns - answer["step_seconds"] * NANOS
            counts = zip(map(int, series["time_unix_nano"]), series["request_count"], strict=True)
            return next((time for time, count in counts if count and time <= last), None)
    return None
