"""The shop in real time: what the simulation says happened is sent as it happens, never ahead of the clock."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from opentelemetry.sdk.metrics.export import MetricsData

from demo import faults
from demo.kernel import NANOS
from demo.pipelines import Exporters, live_pipeline, open_exporters
from demo.settings import DemoSettings
from demo.simulation import Simulation
from demo.telemetry import Pipeline
from libs.common.clock import Clock

log = structlog.get_logger(__name__)

_TICK_SECONDS = 0.25
_ASLEEP_SECONDS = 10.0  # farther behind than this, the machine was suspended; nothing happened meanwhile
_CONTROL_SECONDS = 1.0
_FINISH_SECONDS = 2.0
_FLUSH_SECONDS = 5.0


class FaultWatch:
    """The control file, looked at when it may have changed. A broken file is reported once and changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.active: frozenset[str] = frozenset()

    def changed(self) -> bool:
        """Look again; whether other faults are active than before."""
        seen = self._fingerprint()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            names = faults.active(self._path)
        except faults.InvalidControlFile as error:
            log.warning("control file ignored", reason=str(error))
            return False
        before, self.active = self.active, names
        return names != before

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


async def run(settings: DemoSettings, clock: Clock, seed: str, stop: asyncio.Event) -> None:
    """Run the shop until `stop` is set, then let requests finish and send what is left.

    That takes up to 7 seconds, with a receiver that accepts and never answers one export timeout more.
    """
    exporters = open_exporters(settings)
    pipeline = live_pipeline(exporters)
    simulation = Simulation(pipeline, start_ns=clock.now_ns(), rate=settings.rate, seed=seed)
    log.info("shop opened", endpoint=settings.endpoint, protocol=settings.otlp_protocol, rate=settings.rate, seed=seed)
    try:
        await drive(simulation, exporters.metrics.export, settings, clock, stop)
    finally:
        last = simulation.collect()
        simulation.close()
        await _send_rest(pipeline, exporters, last)
    log.info("shop closed")


async def drive(
    simulation: Simulation,
    send_metrics: Callable[[MetricsData], object],
    settings: DemoSettings,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Keep the simulation at the clock's time until `stop`, then until requests in progress had time to finish."""
    watch = FaultWatch(settings.control_file)
    next_control, next_metrics = 0.0, clock.monotonic() + settings.metric_interval_seconds
    # One export at a time: while the receiver is away, points are skipped, and cumulative ones lose nothing by it.
    sending: asyncio.Task[object] | None = None
    try:
        while not stop.is_set():
            now = clock.monotonic()
            if now >= next_control:
                next_control = now + _CONTROL_SECONDS
                if watch.changed():
                    simulation.set_faults(watch.active)
                    log.info("faults switched", active=sorted(watch.active))
            catch_up(simulation, clock)
            if now >= next_metrics and (sending is None or sending.done()):
                next_metrics = now + settings.metric_interval_seconds
                sending = asyncio.create_task(asyncio.to_thread(send_metrics, simulation.collect()))
            await clock.sleep(_TICK_SECONDS)
        simulation.stop_arrivals()
        deadline = clock.monotonic() + _FINISH_SECONDS
        while clock.monotonic() < deadline:
            await clock.sleep(_TICK_SECONDS)
            catch_up(simulation, clock)
    finally:
        if sending is not None:
            await asyncio.wait([sending], timeout=_FLUSH_SECONDS)


def catch_up(simulation: Simulation, clock: Clock) -> None:
    """Bring the simulation to the clock's time; what was missed while the machine slept did not happen."""
    behind = (clock.now_ns() - simulation.now_ns) / NANOS
    if behind > _ASLEEP_SECONDS:
        log.warning("clock jumped, time skipped", seconds=round(behind))
        simulation.shift(behind)
    simulation.advance(clock.now_ns())


async def _send_rest(pipeline: Pipeline, exporters: Exporters, last: MetricsData) -> None:
    def send() -> None:
        pipeline.spans.shutdown()
        pipeline.logs.shutdown()
        exporters.metrics.export(last)
        exporters.metrics.shutdown()

    sending = asyncio.create_task(asyncio.to_thread(send))
    done, _ = await asyncio.wait([sending], timeout=_FLUSH_SECONDS)
    if not done:
        log.warning("receiver away, giving up on what is left", seconds=_FLUSH_SECONDS)
        exporters.shutdown()
    await sending
