"""Times as callers write them, the range of a question, and how a range is cut: into steps for charts, into slices for search."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from libs.common.errors import InvalidRequest
from services.analytics.errors import InvalidTimeRange

SECOND = 10**9
MINUTE = 60 * SECOND
BUCKET = 300 * SECOND  # toStartOfFiveMinutes, by which spans and logs are sorted
DEFAULT_RANGE = 3600 * SECOND
# Spans, logs and points are kept this long.
MAX_DAYS = 32
# A range that ends "now" ends at the next multiple of this, so that the same question asked twice is the same question.
NOW_GRID = 5 * SECOND

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:)(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+\- ])(\d{2}):([0-5]\d))", re.ASCII
)
_NANOSECONDS = re.compile(r"[0-9]{1,19}")
# Data older than 1973 cannot exist; a smaller number is a count of seconds, milliseconds or microseconds.
_LEAST_NANOSECONDS = 10**17
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[start, end) in unix nanoseconds."""

    start: int
    end: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / SECOND

    def whole(self, seconds: int) -> tuple[int, int]:
        """Unix seconds [from, to) of the minutes, hours, ... wholly inside. Where there are none, both are the next one's start."""
        size = seconds * SECOND
        first, last = -(-self.start // size) * seconds, self.end // size * seconds
        if first < last:
            return first, last
        after = -(-self.end // size) * seconds
        return after, after

    def step(self, points: int, *, least: int = 1) -> int:
        """The shortest round step, in seconds, that cuts the range into about `points` steps at most."""
        wanted = [step for step in _STEPS if step >= least]
        return next((step for step in wanted if self.seconds / step <= points), wanted[-1])

    def steps(self, step: int) -> range:
        """Starts of the steps that touch the range, in unix seconds; multiples of `step`."""
        return range(self.start // SECOND // step * step, -(-self.end // SECOND), step)


def read_time(text: str, name: str) -> int:
    """Unix nanoseconds of an RFC 3339 time or an integer string of nanoseconds. Raises InvalidRequest."""
    if _NANOSECONDS.fullmatch(text):
        value = int(text)
        if value < _LEAST_NANOSECONDS:
            raise _invalid(
                name, f"{text} is no time in unix nanoseconds: it lies before 1973. Multiply seconds by 10^9"
            )
    elif found := _RFC3339.fullmatch(text):
        value = _read_rfc3339(found, name)
    else:
        raise _invalid(name, "must be RFC 3339 with an offset, as in 2026-01-31T09:00:00.5+09:00, or unix nanoseconds")
    if not 0 <= value < 2**63:
        raise _invalid(name, "must lie between 1970 and 2262")
    return value


def read_range(start: str | None, end: str | None, now: int) -> TimeRange:
    """The range asked for; `end` is now by default, `start` an hour before `end`.

    Raises InvalidRequest for what is no time, InvalidTimeRange for times that make no range.
    """
    until = read_time(end, "to") if end else -(-now // NOW_GRID) * NOW_GRID
    since = read_time(start, "from") if start else max(0, until - DEFAULT_RANGE)
    if since >= until:
        raise InvalidTimeRange("'from' must be before 'to'." if end else "'from' must be before now.")
    if until - since > MAX_DAYS * 24 * 3600 * SECOND:
        raise InvalidTimeRange(f"'from' and 'to' may be {MAX_DAYS} days apart at most; data is not kept longer.")
    return TimeRange(since, until)


def slices(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut [start, end) into slices, newest first and each four times the one before.

    A search for the newest few records mostly ends in the first one; one that finds nothing has asked a handful of times
    more than needed. Long slices begin where a bucket of the sort key does, so that no bucket is read twice.
    """
    size = MINUTE
    while start < end:
        begin = end - size
        if size > BUCKET:
            begin -= begin % BUCKET
        if begin - start < size:  # not worth another slice
            begin = start
        yield begin, end
        end, size = begin, 4 * size


def buckets(intervals: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Five-minute buckets that these intervals (first and last unix second) touch, as starts and ends of runs of buckets."""
    starts: list[int] = []
    ends: list[int] = []
    for first, last in sorted(intervals):
        begin, end = first // 300 * 300, last // 300 * 300 + 300
        if ends and begin <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(begin)
            ends.append(end)
    return starts, ends


def _read_rfc3339(found: re.Match[str], name: str) -> int:
    date, clock, seconds, fraction, utc, sign, hours, minutes = found.groups()
    # A leap second is the second after the 59th for every clock that counts unix time.
    leap = seconds == "60"
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'59' if leap else seconds}").replace(tzinfo=UTC)
        if not utc:
            # "+" in a query string that was not encoded arrives as a space.
            offset = timezone(timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1))
            moment = moment.replace(tzinfo=offset)
    except ValueError:
        raise _invalid(name, "is no date and time of the calendar") from None
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    whole = since_epoch.days * 86400 + since_epoch.seconds + leap
    return whole * SECOND + int((fraction or "").ljust(9, "0"))


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {reason}.", extra={"errors": [{"in": "query", "name": name, "reason": reason}]})
