"""Rate, errors and duration of services and operations."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.analytics.cursors import PageCursor
from services.analytics.otlp_rows import KINDS, named
from services.analytics.repository import TelemetryRepository
from services.analytics.time_range import SECOND, TimeRange

# Resolutions of the rollups, in seconds. Longer ranges are drawn by the hour: there are few hours in a month, and many minutes.
MINUTE, HOUR = 60, 3600
LONGEST_BY_MINUTE = 24 * HOUR
OVERVIEW_POINTS = 60
DETAIL_POINTS = 180
MAX_OPERATIONS = 1000
_P50, _P95, _P99 = 0, 2, 3  # places in the store's (0.5, 0.9, 0.95, 0.99); empty where no duration could be measured


async def services(repository: TelemetryRepository, tenant: str, span: TimeRange) -> dict[str, Any]:
    """Every service that sent spans, by name. Numbers are those of entry spans; a service without any has zeros."""
    step = _step(span, OVERVIEW_POINTS)
    rows, names = await asyncio.gather(
        repository.services(tenant, span, step, None), repository.service_names(tenant, span)
    )
    by_service: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for row in rows:
        by_service.setdefault(row["service"], []).append(row)
    listed = [
        {"service": name, **_totals(found, span), "series": _series(found, span, step, ("p95_nano",))}
        for name, found in sorted(by_service.items())
    ]
    return {"services": listed, "step_seconds": step}


async def service(repository: TelemetryRepository, tenant: str, span: TimeRange, name: str) -> dict[str, Any]:
    """One service, with a finer series of all percentiles. A service that sent nothing has zeros: that is its rate."""
    step = _step(span, DETAIL_POINTS)
    rows = await repository.services(tenant, span, step, name)
    series = _series(rows, span, step, ("p50_nano", "p95_nano", "p99_nano"))
    return {"service": name, **_totals(rows, span), "series": series, "step_seconds": step}


async def operations(
    repository: TelemetryRepository, tenant: str, span: TimeRange, name: str, offset: int = 0
) -> dict[str, Any]:
    """What the service does, busiest first, inner and outgoing spans included; `kind` tells them apart. A page of it."""
    end = offset + MAX_OPERATIONS
    rows = await repository.operations(tenant, span, name, end + 1)
    listed = [
        {"operation": row["operation"], "kind": named(KINDS, row["kind"]), **_numbers(row, span)}
        for row in rows[offset:end]
    ]
    return {"operations": listed, "next_cursor": PageCursor(end).encode() if len(rows) > end else None}


def _step(span: TimeRange, points: int) -> int:
    return span.step(points, least=MINUTE if span.seconds <= LONGEST_BY_MINUTE else HOUR)


def _totals(rows: Iterable[Mapping[str, Any]], span: TimeRange) -> dict[str, Any]:
    nothing: dict[str, Any] = {"requests": 0, "errors": 0, "quantiles": ()}
    return _numbers(next((row for row in rows if row["is_total"]), nothing), span)


def _numbers(row: Mapping[str, Any], span: TimeRange) -> dict[str, Any]:
    requests, errors = row["requests"], row["errors"]
    return {
        "request_count": requests,
        "error_count": errors,
        "request_rate": requests / span.seconds,
        "error_rate": errors / requests if requests else 0.0,
        "p50_nano": _nanoseconds(row["quantiles"], _P50),
        "p95_nano": _nanoseconds(row["quantiles"], _P95),
        "p99_nano": _nanoseconds(row["quantiles"], _P99),
    }


def _series(
    rows: Iterable[Mapping[str, Any]], span: TimeRange, step: int, percentiles: tuple[str, ...]
) -> dict[str, list[Any]]:
    """One value for every step of the range: 0 requests, and no percentile, where there were none."""
    by_step = {row["step"]: row for row in rows if not row["is_total"]}
    starts = span.steps(step)
    found = [by_step.get(start) for start in starts]
    places = {"p50_nano": _P50, "p95_nano": _P95, "p99_nano": _P99}
    return {
        "time_unix_nano": [str(start * SECOND) for start in starts],
        "request_count": [row["requests"] if row else 0 for row in found],
        "error_count": [row["errors"] if row else 0 for row in found],
        **{
            name: [_nanoseconds(row["quantiles"], places[name]) if row else None for row in found]
            for name in percentiles
        },
    }


def _nanoseconds(quantiles: Sequence[float], place: int) -> str | None:
    return str(round(quantiles[place])) if quantiles else None
