"""Run roles: the loops a process is made of. `python -m services.<name> <role>` runs one, the embedded process several.

A role runs until its event is set, then drains and returns. Signals, logging, tracing and the event loop are decided
here, once per process.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog
import uvloop

from libs.common.settings import InvalidSettings, ServiceSettings, TelemetrySettings
from libs.common.structured_logging import configure_logging
from libs.common.tracing import traced

Role = Callable[[asyncio.Event], Awaitable[None]]
RoleFactory = Callable[[], Role]

log = structlog.get_logger(__name__)


class RoleEnded(Exception):
    """A role returned without being asked to stop."""


def run_from_command_line(
    service: str, roles: Mapping[str, RoleFactory], argv: Sequence[str] | None = None
) -> NoReturn:
    """Run the role named by the first argument (may be left out when there is one). Exit 0 stopped, 1 failed, 2 misused."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}", description=f"Run a role of {service}.")
    only = next(iter(roles)) if len(roles) == 1 else None
    parser.add_argument("role", choices=sorted(roles), nargs="?" if only else None, default=only)
    name = parser.parse_args(argv).role
    try:
        role = roles[name]()
        run_roles({f"{service}.{name}": role})
    except InvalidSettings as error:
        sys.stderr.write(f"{service}.{name} cannot start, its settings are not valid: {error}\n")
        sys.exit(2)
    sys.exit(0)


def run_roles(roles: Mapping[str, Role], *, may_end: bool = False) -> None:
    """Run roles, keyed `<service>.<role>`, in one event loop until SIGTERM or SIGINT; a second signal cancels the drain.

    With `may_end` a role may also have nothing left to do; when one returns, the others are drained. Raises SystemExit(1) when a
    role fails or, without it, ends by itself (the others are then drained too), InvalidSettings when the process settings do
    not hold.
    """
    settings, telemetry = ServiceSettings(), TelemetrySettings()
    configure_logging(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(_run(roles, settings, telemetry, may_end=may_end))
    if failed:
        raise SystemExit(1)


async def _run(
    roles: Mapping[str, Role], settings: ServiceSettings, telemetry: TelemetrySettings, *, may_end: bool
) -> bool:
    stop = asyncio.Event()
    tasks = {
        asyncio.create_task(_run_one(name, role, stop, settings, telemetry, may_end=may_end), name=name)
        for name, role in roles.items()
    }
    _on_signals(stop, tasks)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await stopping
    _, late = await asyncio.wait(tasks, timeout=settings.drain_timeout_seconds)
    for task in late:
        log.error(
            "role did not drain in time, cancelling", role=task.get_name(), seconds=settings.drain_timeout_seconds
        )
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return any(task.cancelled() or task.exception() is not None for task in tasks)


async def _run_one(
    name: str,
    role: Role,
    stop: asyncio.Event,
    settings: ServiceSettings,
    telemetry: TelemetrySettings,
    *,
    may_end: bool,
) -> None:
    """One role in its own context: its name on log lines, its own `service.name` on spans."""
    service, _, short = name.partition(".")
    structlog.contextvars.bind_contextvars(service=service, role=short)
    async with traced(telemetry, settings, service):
        log.info("role started")
        try:
            await role(stop)
            if not (stop.is_set() or may_end):
                raise RoleEnded(f"{name} returned without being asked to stop")  # noqa: TRY301 - told like any failure
        except asyncio.CancelledError:
            log.warning("role cancelled")
            raise
        except Exception:
            log.exception("role failed")
            raise
        log.info("role stopped")


def _on_signals(stop: asyncio.Event, tasks: set[asyncio.Task[None]]) -> None:
    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("second signal, not waiting for the drain", signal=number.name)
            for task in tasks:
                task.cancel()
        else:
            log.info("stopping", signal=number.name)
            stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError):  # not the main thread: whoever started us there owns the signals
            loop.add_signal_handler(number, on_signal, number)
