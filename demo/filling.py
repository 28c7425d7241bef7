"""`python -m demo.filling --until UNIX_NANOSECONDS --hours 24`: the process that fills in the shop's past, if nobody has.

A process of its own, because simulating is all CPU and the live shop must keep time, and because its memory is gone with it.
"""

import argparse
import asyncio
import secrets
import sys
import threading
from collections.abc import Callable
from functools import partial

import httpx
import structlog
from prometheus_client import CollectorRegistry

from demo.pace import Pace, Stored, read_stored
from demo.past import INCIDENTS, Past, Shop, first_shop_traffic, give_way, worker
from demo.settings import DemoSettings
from libs.common.clock import Clock, SystemClock
from libs.common.redis_client import open_redis
from libs.common.roles import Role, run_roles
from libs.common.settings import InvalidSettings, RedisSettings
from libs.common.workers import RedisJobStore, Runner, WorkerMetrics

# All but a drill's slowest requests have ended by then.
_FINISH_NS = 10_000_000_000

log = structlog.get_logger(__name__)


class SimulatedShop:
    """A simulation whose telemetry goes to the receiver, minute by minute."""

    def __init__(self, settings: DemoSettings, seed: str, until_ns: int, opening_ns: int) -> None:
        # Only here, because nine of ten times the past is there already and the SDK need not be loaded to learn that.
        from demo.backfill import parse_incident  # noqa: PLC0415
        from demo.pipelines import BackfillPipeline, open_exporters  # noqa: PLC0415
        from demo.simulation import Simulation  # noqa: PLC0415

        # A step that was cancelled goes on in its thread for a moment; nobody may take the shop apart meanwhile.
        self._lock = threading.Lock()
        self._exporters = open_exporters(settings)
        self._sink = BackfillPipeline(self._exporters)
        self._incidents = [parse_incident(text, until_ns) for text in INCIDENTS]
        self._simulation = Simulation(self._sink.pipeline, start_ns=opening_ns, rate=settings.rate, seed=seed)

    def live_through(self, time_ns: int, *, collect: bool) -> None:
        """See Shop."""
        with self._lock:
            now = self._simulation.now_ns
            self._simulation.set_faults({each.fault for each in self._incidents if each.start_ns <= now < each.end_ns})
            self._simulation.advance(time_ns)
            if collect:
                self._sink.add_metrics(self._simulation.collect())
            self._sink.flush()

    def finish(self) -> None:
        """See Shop."""
        with self._lock:
            self._simulation.stop_arrivals()
            self._simulation.advance(self._simulation.now_ns + _FINISH_NS)
            self._sink.flush()

    def close(self) -> None:
        """See Shop. What is still in progress is ended by it, at no time of its own, and so is not sent."""
        self._exporters.shutdown()
        with self._lock:
            self._sink.forget()
            self._simulation.close()


async def _look(client: httpx.AsyncClient, url: str) -> Stored | None:
    try:
        answer = (await client.get(f"{url}/metrics")).raise_for_status()
    except httpx.HTTPError as error:
        log.warning("the writer does not tell how fresh it is", error=type(error).__name__)
        return None
    return read_stored(answer.text)


def _filling(settings: DemoSettings, until_ns: int, hours: float, clock: Clock) -> Role:
    async def run(stop: asyncio.Event) -> None:
        seed = settings.seed or secrets.token_hex(8)
        open_shop: Callable[[int], Shop] = partial(SimulatedShop, settings, seed, until_ns)

        async def first_record(start_ns: int, end_ns: int) -> int | None:
            return await first_shop_traffic(settings, start_ns, end_ns) if settings.api_url else None

        async with open_redis(RedisSettings()) as redis, httpx.AsyncClient(timeout=2, trust_env=False) as client:
            pace = Pace(partial(_look, client, settings.writer_url) if settings.writer_url else None, clock)
            past = Past(hours, until_ns, open_shop, first_record, pace, clock)
            await Runner(worker(past), clock, WorkerMetrics(CollectorRegistry()), RedisJobStore(redis)).run(stop)

    return run


def main() -> int:
    """Exit status: 0 there is nothing left to do, or stopped; 1 failed; 2 misused."""
    parser = argparse.ArgumentParser(prog="python -m demo.filling")
    parser.add_argument("--until", type=int, required=True)
    parser.add_argument("--hours", type=float, required=True)
    arguments = parser.parse_args()
    give_way()
    try:
        role = _filling(DemoSettings(), arguments.until, arguments.hours, SystemClock())
        run_roles({"demo.backfill": role}, may_end=True)
    except InvalidSettings as error:
        sys.stderr.write(f"the past is not filled in: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
