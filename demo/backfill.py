"""History: the shop run as fast as the machine can, over hours that have passed already."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from opentelemetry.sdk.metrics.export import MetricsData

from demo import faults
from demo.kernel import NANOS
from demo.simulation import Simulation

log = structlog.get_logger(__name__)

_STEP_SECONDS = 60  # also the interval of metric points
_DURATION = re.compile(
    r"(?P<name>[a-z-]+)@(?P<ago>[0-9.]+)(?P<ago_unit>[hms])/(?P<length>[0-9.]+)(?P<length_unit>[hms])"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


class InvalidIncident(ValueError):
    """Not of the form `payment-errors@3h/20m`."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault that was on for a while. Unix nanoseconds."""

    fault: str
    start_ns: int
    end_ns: int


def parse_incident(text: str, now_ns: int) -> Incident:
    """`payment-errors@3h/20m`: payment-errors began three hours ago and lasted twenty minutes.

    Raises InvalidIncident, UnknownFault.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidIncident(
            f"{text!r} should look like payment-errors@3h/20m: fault, how long ago, how long it lasted"
        )
    ago = float(match["ago"]) * _SECONDS[match["ago_unit"]]
    length = float(match["length"]) * _SECONDS[match["length_unit"]]
    start_ns = now_ns - round(ago * NANOS)
    return Incident(faults.find(match["name"]).name, start_ns, start_ns + round(length * NANOS))


def backfill(
    simulation: Simulation,
    end_ns: int,
    incidents: Sequence[Incident],
    send_metrics: Callable[[MetricsData], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run up to `end_ns` (or until `stopped`), with metric points every minute."""
    start_ns = simulation.now_ns
    reported = 0
    while simulation.now_ns < end_ns and not stopped():
        now = simulation.now_ns
        simulation.set_faults({each.fault for each in incidents if each.start_ns <= now < each.end_ns})
        simulation.advance(min(end_ns, now + _STEP_SECONDS * NANOS))
        send_metrics(simulation.collect())
        if (percent := 100 * (simulation.now_ns - start_ns) // (end_ns - start_ns)) >= reported + 5:
            reported = percent
            log.info("backfilling", percent=percent)
    simulation.close()
