"""Search for log records, newest first, and their histogram.

As with traces, slices of time from the newest on: the first step reads only times, the second whole rows at those times.
Equal times are common (one batch, one clock tick), so the order goes on by where a record came from and a hash of what
it says; records that are equal in all of that are counted. No page loses or repeats one.
"""

from typing import Any

from libs.common.clock import Clock
from libs.common.query import Condition, Query, Signal
from services.analytics.cursors import LogCursor
from services.analytics.metrics import AnalyticsMetrics
from services.analytics.otlp_rows import log_record
from services.analytics.repository import Rows, TelemetryRepository
from services.analytics.time_range import SECOND, TimeRange, slices

HISTOGRAM_POINTS = 60
LEVELS = ("UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


class LogSearch:
    """Questions about logs. `budget` is seconds for one search."""

    def __init__(
        self, repository: TelemetryRepository, clock: Clock, metrics: AnalyticsMetrics, *, budget: float
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._budget = budget

    async def search(
        self, tenant: str, query: Query | None, span: TimeRange, limit: int, cursor: LogCursor | None
    ) -> dict[str, Any]:
        """A page of records and the cursor to the next. A search that runs out of time gives what it found so far."""
        condition = await self._repository.condition(tenant, query, Signal.LOGS, span)
        if cursor is not None and cursor.time < span.start:
            return {"logs": [], "next_cursor": None}
        if cursor is not None and cursor.time >= span.end:
            cursor = None
        rows = await self._at_cursor(tenant, condition, limit, cursor)
        end: LogCursor | None = None
        if len(rows) <= limit:
            until = cursor.time if cursor else span.end
            times, end = await self._times(tenant, condition, TimeRange(span.start, until), limit + 1 - len(rows))
            if times:
                rows += await self._repository.log_rows(tenant, condition, times, limit + 1 - len(rows))
        if len(rows) > limit:
            end = _after(rows[:limit], cursor)
        return {"logs": [log_record(row) for row in rows[:limit]], "next_cursor": end.encode() if end else None}

    async def _at_cursor(self, tenant: str, condition: Condition, limit: int, cursor: LogCursor | None) -> Rows:
        """What is left of the nanosecond at which the last page ended."""
        if cursor is None:
            return []
        return await self._repository.log_rows(tenant, condition, [cursor.time], limit + 1, cursor)

    async def _times(
        self, tenant: str, condition: Condition, span: TimeRange, wanted: int
    ) -> tuple[list[int], LogCursor | None]:
        """Times of the newest `wanted` records, and where the search ended if time ran out before."""
        times: list[int] = []
        deadline = self._clock.monotonic() + self._budget
        read = 0
        end: LogCursor | None = None
        for start, until in slices(span.start, span.end):
            read += 1
            times += await self._repository.log_times(tenant, condition, TimeRange(start, until), wanted - len(times))
            if len(times) >= wanted:
                break
            if start > span.start and self._clock.monotonic() > deadline:
                self._metrics.searches_cut.labels(Signal.LOGS).inc()
                end = LogCursor.before(start)
                break
        self._metrics.search_slices.labels(Signal.LOGS).observe(read)
        return times, end

    async def histogram(self, tenant: str, query: Query | None, span: TimeRange) -> dict[str, Any]:
        """Counts of matching records per step and severity level."""
        condition = await self._repository.condition(tenant, query, Signal.LOGS, span)
        step = span.step(HISTOGRAM_POINTS)
        starts = span.steps(step)
        first = starts[0] // step
        series = {level: [0] * len(starts) for level in LEVELS}
        for row in await self._repository.log_histogram(tenant, condition, span, step):
            series[LEVELS[row["level"]]][row["step"] - first] = row["record_count"]
        return {
            "time_unix_nano": [str(start * SECOND) for start in starts],
            "step_seconds": step,
            "series": series,
        }


def _after(page: Rows, previous: LogCursor | None) -> LogCursor:
    """The place behind a page: its last key, and how many records with that key have been given by now."""
    key = _key(page[-1])
    seen = sum(_key(row) == key for row in page)
    if previous is not None and previous.key == key:
        seen += previous.seen
    return LogCursor(*key, seen)


def _key(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return row["filed"], row["origin_partition"], row["origin_offset"], row["digest"]
