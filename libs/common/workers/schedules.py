"""When a job is due. A slot is the moment a run is for; what was missed while nobody ran is made up for by one run."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

NANOS = 1_000_000_000
# Slots that are looked at to find the latest missed one. Beyond that, the exact slot of a year ago matters to nobody.
_MISSED_SLOTS = 10_000


class InvalidSchedule(ValueError):
    """A schedule that cannot be; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The latest run that ended: the slot it was for (unix nanoseconds), and whether it is done with."""

    slot_ns: int
    done: bool


class Schedule(Protocol):
    """When to run. `jitter_seconds` is the most by which a start is put off, so that not all start at once."""

    @property
    def jitter_seconds(self) -> float: ...

    def slot(self, last: LastRun | None, now_ns: int) -> int | None:
        """The next slot, unix nanoseconds: now or before when it is due, None when there will be none."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Every `seconds`, counted from the slot before; the first one at once. `jitter` is a share of `seconds`, 0 to 1."""

    seconds: float
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.seconds <= 0 or not 0 <= self.jitter <= 1:
            raise InvalidSchedule("every: seconds must be positive, jitter between 0 and 1")

    @property
    def jitter_seconds(self) -> float:
        return self.seconds * self.jitter

    def slot(self, last: LastRun | None, now_ns: int) -> int | None:
        """See Schedule."""
        if last is None:
            return now_ns
        # A clock that was set back must not make us wait for the time it showed before.
        return max(min(last.slot_ns, now_ns) + round(self.seconds * NANOS), now_ns)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression (five or six fields) in a time zone. The first slot is the next one, never one before we existed.

    Hours that a clock change skips or repeats are treated as Debian's cron does: a job at a fixed time runs once.
    """

    expression: str
    zone: str = "UTC"
    jitter_seconds: float = 0.0

    def __post_init__(self) -> None:
        try:
            CronSim(self.expression, datetime.now(UTC))
        except CronSimError as error:
            raise InvalidSchedule(f"cron: {self.expression!r} does not parse: {error}") from None
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise InvalidSchedule(f"cron: no time zone {self.zone!r}; name one as in Asia/Seoul") from None

    def slot(self, last: LastRun | None, now_ns: int) -> int | None:
        """See Schedule."""
        start = now_ns if last is None else min(last.slot_ns, now_ns)
        slots = CronSim(self.expression, datetime.fromtimestamp(start / NANOS, ZoneInfo(self.zone)))
        due: int | None = None
        for _ in range(_MISSED_SLOTS):
            # Through UTC: in the hour that repeats, local times alone are ambiguous.
            following = round(next(slots).astimezone(UTC).timestamp()) * NANOS
            if following > now_ns:
                return following if due is None else due
            due = following
        return due


@dataclass(frozen=True, slots=True)
class Once:
    """Once in the life of an installation. A run that failed is tried again after `retry_seconds`."""

    retry_seconds: float = 300.0
    jitter_seconds: float = 0.0

    def slot(self, last: LastRun | None, now_ns: int) -> int | None:
        """See Schedule."""
        if last is None:
            return now_ns
        return None if last.done else min(last.slot_ns, now_ns) + round(self.retry_seconds * NANOS)
