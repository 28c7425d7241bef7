"""`python -m demo`: the shop in real time. `python -m demo backfill --hours 24`: its past, at high speed."""

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence

import structlog

from demo.backfill import InvalidIncident, backfill, parse_incident
from demo.faults import FAULTS, UnknownFault
from demo.live import run
from demo.past import fill_in_background
from demo.pipelines import BackfillPipeline, ReceiverUnavailable, open_exporters
from demo.settings import DemoSettings
from demo.simulation import Simulation
from libs.common.clock import Clock, SystemClock
from libs.common.roles import Role, RoleFactory, run_roles
from libs.common.settings import InvalidSettings, ServiceSettings
from libs.common.structured_logging import configure_logging

log = structlog.get_logger(__name__)


def shop() -> Role:
    """The live shop as a role, with settings from the environment. It also sees to it that it gets a past."""
    settings, clock = DemoSettings(), SystemClock()

    async def both(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run(settings, clock, _seed(settings), stop), name="live shop")
            if settings.backfill_hours:
                tasks.create_task(fill_in_background(settings, clock, stop), name="backfill")

    return both


ROLES: Mapping[str, RoleFactory] = {"shop": shop}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done or stopped, 1 failed, 2 misused."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "backfill":
            return _backfill(arguments, SystemClock())
        run_roles({"demo.shop": shop()})
    except (InvalidSettings, InvalidIncident, UnknownFault) as error:
        sys.stderr.write(f"demo cannot start: {error}\n")
        return 2
    return 0


def _backfill(arguments: argparse.Namespace, clock: Clock) -> int:
    overrides = {} if arguments.rate is None else {"rate": arguments.rate}
    settings = DemoSettings(**overrides)
    configure_logging(ServiceSettings())
    end_ns = clock.now_ns()
    incidents = [parse_incident(text, end_ns) for text in arguments.fault]
    exporters = open_exporters(settings)
    sink = BackfillPipeline(exporters)
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    began = time.monotonic()
    try:
        simulation = Simulation(
            sink.pipeline,
            start_ns=end_ns - round(arguments.hours * 3600e9),
            rate=settings.rate,
            seed=_seed(settings),
        )
        backfill(simulation, end_ns, incidents, sink.add_metrics, lambda: bool(signals))
        sink.flush()
    except ReceiverUnavailable as error:
        log.error("backfill failed", reason=str(error), spans=sink.spans)  # noqa: TRY400 - no trace for the expected
        return 1
    finally:
        exporters.shutdown()
    seconds = time.monotonic() - began
    log.info(
        "backfill done" if not signals else "backfill stopped",
        spans=sink.spans,
        log_records=sink.log_records,
        seconds=round(seconds, 1),
        spans_per_second=round(sink.spans / seconds),
    )
    return 0


def _seed(settings: DemoSettings) -> str:
    return settings.seed or secrets.token_hex(8)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="A simulated shop that sends OpenTelemetry traces, logs and metrics.",
        epilog="Settings: " + ", ".join(f"AIRIS_DEMO_{name.upper()}" for name in DemoSettings.model_fields),
    )
    commands = parser.add_subparsers(dest="command", title="commands (none: run in real time)")
    history = commands.add_parser("backfill", help="write history")
    history.add_argument("--hours", type=_positive, default=24.0, help="how far back (default 24)")
    history.add_argument("--rate", type=_positive, help="requests per second (default AIRIS_DEMO_RATE)")
    history.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME@AGO/LENGTH",
        help=f"an incident, as in payment-errors@3h/20m; one of {', '.join(FAULTS)}",
    )
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
