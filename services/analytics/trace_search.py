"""Search for traces, newest first by their earliest matching span.

Two steps. The first looks for trace ids only, slice of time by slice from the newest on, and stops with a full page. A
trace found in a slice may have matched before it too; such a trace is left to the older slice, so that each trace has one
place in the order. The second reads all spans of the page's traces, within the bounds that the trace index knows.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from libs.common.clock import Clock
from libs.common.query import Condition, Query, Signal
from libs.common.query.traces import named_spans, speaks_of_traces
from services.analytics.cursors import TraceCursor
from services.analytics.errors import TraceNotFound
from services.analytics.metrics import AnalyticsMetrics
from services.analytics.otlp_rows import span as span_json
from services.analytics.repository import Intervals, TelemetryRepository
from services.analytics.time_range import SECOND, TimeRange, slices

HEAT_MAP_POINTS = 60
# Half octaves from a microsecond to a day; what is shorter is in the first row, from 0.
DURATION_BOUNDS = (0, *(round(1000 * 2 ** (half / 2)) for half in range(73)))


class TraceSearch:
    """Questions about traces. `budget` is seconds for one search."""

    def __init__(
        self, repository: TelemetryRepository, clock: Clock, metrics: AnalyticsMetrics, *, budget: float
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._budget = budget

    async def search(
        self, tenant: str, query: Query | None, span: TimeRange, limit: int, cursor: TraceCursor | None
    ) -> dict[str, Any]:
        """A page of summaries and the cursor to the next. A search that runs out of time gives what it found so far."""
        if query is not None and speaks_of_traces(query):
            return await self._by_structure(tenant, query, span, limit, cursor)
        condition = await self._repository.condition(tenant, query, Signal.TRACES, span)
        found, extents, end = await self._find(tenant, condition, span, limit, cursor)
        page = found[:limit]
        if len(found) > limit:
            end = page[-1]
        summaries = await self._summarise(tenant, condition, span, page, extents)
        return {"traces": summaries, "next_cursor": end.encode() if end else None}

    async def _by_structure(
        self, tenant: str, query: Query, span: TimeRange, limit: int, cursor: TraceCursor | None
    ) -> dict[str, Any]:
        """As `search`, for conditions on whole traces, which belong to the range they begin in; newest first by their beginning."""
        before = cursor or TraceCursor(span.end, "")
        found, condition = await asyncio.gather(
            self._repository.traces_by_structure(tenant, query, span, before, limit + 1),
            self._repository.condition(tenant, named_spans(query), Signal.TRACES, span),
        )
        page = found[:limit]
        extents = await self._extents(tenant, page)
        summaries = await self._summarise(tenant, condition, span, page, extents)
        return {"traces": summaries, "next_cursor": page[-1].encode() if len(found) > limit else None}

    async def _find(
        self, tenant: str, condition: Condition, span: TimeRange, limit: int, cursor: TraceCursor | None
    ) -> tuple[list[TraceCursor], dict[str, Intervals], TraceCursor | None]:
        """Up to limit + 1 traces, when they were active, and where the search ended if it did not reach the range's start."""
        found: list[TraceCursor] = []
        extents: dict[str, Intervals] = {}
        place = cursor if cursor is not None and cursor.time < span.end else TraceCursor(span.end, "")
        deadline = self._clock.monotonic() + self._budget
        read = 0
        # The cursor's own nanosecond may hold more traces, hence + 1.
        for start, _ in slices(span.start, min(place.time + 1, span.end)):
            read += 1
            while len(found) <= limit:
                wanted = limit + 1 - len(found)
                rows = await self._repository.trace_candidates(tenant, condition, start, place, wanted)
                candidates = [TraceCursor(row["first_match"], row["id"]) for row in rows]
                extents |= await self._extents(tenant, candidates)
                earlier = await self._earlier_matches(
                    tenant, condition, TimeRange(span.start, start), extents, candidates
                )
                found += [candidate for candidate in candidates if candidate.trace_id not in earlier]
                if len(candidates) < wanted:
                    place = TraceCursor(start, "")
                    break
                place = candidates[-1]
            if len(found) > limit:
                break
            if start > span.start and self._clock.monotonic() > deadline:
                self._metrics.searches_cut.labels(Signal.TRACES).inc()
                self._metrics.search_slices.labels(Signal.TRACES).observe(read)
                return found, extents, place
        self._metrics.search_slices.labels(Signal.TRACES).observe(read)
        return found, extents, None

    async def _extents(self, tenant: str, candidates: list[TraceCursor]) -> dict[str, Intervals]:
        if not candidates:
            return {}
        return await self._repository.trace_extents(tenant, [candidate.trace_id for candidate in candidates])

    async def _earlier_matches(
        self,
        tenant: str,
        condition: Condition,
        before: TimeRange,
        extents: dict[str, Intervals],
        candidates: list[TraceCursor],
    ) -> set[str]:
        """Candidates that match before the slice, too. Most traces are short: only those active then are looked at."""
        first, last = before.start // SECOND, before.end // SECOND
        intervals: dict[str, Intervals] = {}
        for candidate in candidates:
            active = [
                (max(begin, first), min(end, last))
                for begin, end in extents.get(candidate.trace_id, ())
                if begin * SECOND < before.end and end >= first
            ]
            if active:
                intervals[candidate.trace_id] = active
        if not intervals or before.start >= before.end:
            return set()
        return await self._repository.trace_earlier_matches(
            tenant, condition, before, _all(intervals.values()), list(intervals)
        )

    async def _summarise(
        self,
        tenant: str,
        condition: Condition,
        span: TimeRange,
        page: list[TraceCursor],
        extents: dict[str, Intervals],
    ) -> list[dict[str, Any]]:
        ids = [found.trace_id for found in page if found.trace_id in extents]
        if not ids:
            return []
        intervals = _all(extents[trace_id] for trace_id in ids)
        rows = await self._repository.trace_summaries(tenant, condition, span, intervals, ids)
        return [_summary(rows[trace_id]) for trace_id in ids if trace_id in rows]

    async def durations(self, tenant: str, query: Query | None, span: TimeRange) -> dict[str, Any]:
        """Heat map of matching spans by start and duration. Row i is [bounds[i], bounds[i+1]), the last one half an octave."""
        condition = await self._repository.condition(tenant, query, Signal.TRACES, span)
        step = span.step(HEAT_MAP_POINTS)
        rows = await self._repository.span_durations(tenant, condition, span, step, DURATION_BOUNDS)
        starts = span.steps(step)
        first = starts[0] // step
        present = {row["bound"] for row in rows}
        bounds = [bound for bound in DURATION_BOUNDS if present and min(present) <= bound <= max(present)]
        places = {bound: place for place, bound in enumerate(bounds)}
        counts = [[0] * len(starts) for _ in bounds]
        errors = [[0] * len(starts) for _ in bounds]
        for row in rows:
            counts[places[row["bound"]]][row["step"] - first] = row["span_count"]
            errors[places[row["bound"]]][row["step"] - first] = row["error_count"]
        return {
            "time_unix_nano": [str(start * SECOND) for start in starts],
            "step_seconds": step,
            "duration_bounds_nano": [str(bound) for bound in bounds],
            "counts": counts,
            "error_counts": errors,
        }

    async def trace(self, tenant: str, trace_id: str, limit: int) -> dict[str, Any]:
        """The trace with every field of its spans.

        Raises TraceNotFound. A trace of more than `limit` spans gives its earliest and says so in `truncated`.
        """
        intervals = (await self._repository.trace_extents(tenant, [trace_id])).get(trace_id)
        rows = await self._repository.trace_spans(tenant, intervals, trace_id, limit + 1) if intervals else []
        if not intervals or not rows:
            raise TraceNotFound(
                f"There is no trace {trace_id}. It was never sent, has not arrived yet, or has expired."
            )
        spans = [span_json(row, trace_id) for row in rows[:limit]]
        return {"trace_id": trace_id, "spans": spans, "truncated": len(rows) > limit}


def _all(intervals: Iterable[Intervals]) -> Intervals:
    return [interval for several in intervals for interval in several]


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    root_service, root_name = row["root"]
    errors = dict(zip(*row["service_errors"], strict=True))
    return {
        "trace_id": row["id"],
        "root_service": root_service,
        "root_name": root_name,
        "start_time_unix_nano": str(row["start"]),
        "duration_nano": str(row["end"] - row["start"]),
        "span_count": row["span_count"],
        "error_count": row["error_count"],
        "services": [
            {"service": service, "span_count": count, "error_count": errors.get(service, 0)}
            for service, count in sorted(
                zip(*row["service_spans"], strict=True), key=lambda entry: (-entry[1], entry[0])
            )
        ],
        "status": "ERROR" if row["error_count"] else "OK" if row["ok_count"] else "UNSET",
        "matched_spans": row["matched_count"],
    }
