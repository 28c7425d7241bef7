"""What can be charted, and the points of one metric as they were sent."""

from typing import Any

from libs.common.query import Query, Signal
from services.analytics.cursors import PointCursor
from services.analytics.otlp_rows import TEMPORALITIES, data_point, metric_series, named
from services.analytics.repository import TelemetryRepository
from services.analytics.time_range import TimeRange

MAX_METRICS = 5000
_ABOUT = ("type", "unit", "description", "temporality", "monotonic")
# The series hash covers name, resource, scope and attributes; senders may change the rest between two points.
_IDENTITY = (
    "owner", "series_id", "kind", "unit_name", "about", "aggregation", "is_monotonic", "metadata_strings", "metadata_others",
    "resource_dropped", "resource_entities", "resource_schema", "scope_strings", "scope_others", "scope_dropped", "scope_schema",
)  # fmt: skip


async def catalogue(
    repository: TelemetryRepository, tenant: str, span: TimeRange, service: str | None, name_part: str
) -> dict[str, Any]:
    """Metrics by name. One name with two types or units is two metrics."""
    rows = await repository.metric_catalogue(tenant, span, service, name_part, MAX_METRICS)
    return {"metrics": [{**row, "temporality": named(TEMPORALITIES, row["temporality"])} for row in rows]}


async def points(
    repository: TelemetryRepository,
    tenant: str,
    name: str,
    query: Query | None,
    span: TimeRange,
    limit: int,
    cursor: PointCursor | None,
) -> dict[str, Any]:
    """A page of up to `limit` points, series after series, each in order of time.

    A series may go on in the next page. The metric's own fields are those of the first series, null without any.
    """
    condition = await repository.condition(tenant, query, Signal.METRICS, span)
    start = cursor or PointCursor("", 0, 0, 0)
    rows = await repository.metric_points(tenant, condition, span, name, start, limit + 1)
    series: dict[str, dict[str, Any]] = {}
    for row in rows[:limit]:
        identity = repr([row[column] for column in _IDENTITY])
        if identity not in series:
            series[identity] = metric_series(row)
        series[identity]["points"].append(data_point(row))
    listed = list(series.values())
    about = {field: listed[0][field] if listed else None for field in _ABOUT}
    end = _after(rows[:limit], start).encode() if len(rows) > limit else None
    return {"name": name, **about, "series": listed, "next_cursor": end}


def _after(page: list[dict[str, Any]], previous: PointCursor) -> PointCursor:
    key = _key(page[-1])
    seen = sum(_key(row) == key for row in page)
    if (previous.service, previous.series, previous.time) == key:
        seen += previous.seen
    return PointCursor(*key, seen)


def _key(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["owner"], row["series_id"], row["filed"]
