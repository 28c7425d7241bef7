"""The telemetry tables, as readers see them. Tables are named by queries/*.sql and by the registry of signals.

Every method takes the tenant first and binds it. Places where a statement takes a condition are marked in its file as
`true /* condition */`, so that each file is a statement that runs as it stands. Times are unix nanoseconds unless named
otherwise. Raises what the store client raises: QueryTimeout, QueryTooExpensive, StoreUnavailable.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.common.clickhouse import Answer, ClickHouse, Statement, load_statements, parse_statement
from libs.common.clickhouse.carrying import Reading
from libs.common.query import SIGNALS, Condition, Key, Query, ResourceScope, Signal, compile_query, fallback_keys
from libs.common.query.plan import SETTINGS, Plan
from libs.common.query.planning import Planner, resource_keys
from libs.common.query.structured import Aggregate, StructuredQuery
from libs.common.query.traces import PADDING_SECONDS, spans_of_traces, speaks_of_traces
from services.analytics.cursors import LogCursor, PointCursor, TraceCursor
from services.analytics.time_range import SECOND, TimeRange, buckets

Rows = list[dict[str, Any]]
Intervals = list[tuple[int, int]]

# A fingerprint is a hash of what it stands for, so what was read once stays right.
_KNOWN_RESOURCES = 4096
_CONDITION = "true /* condition */"
_SERVICE = "true /* service */"
_NO_MAPS: Mapping[str, Any] = {"resource_strings": [], "resource_others": []}


class TelemetryRepository:
    """Reads spans, logs, metrics and their rollups. `timeout` is seconds per statement."""

    def __init__(self, clickhouse: ClickHouse, *, timeout: float) -> None:
        self._clickhouse = Reading(clickhouse)
        self._timeout = timeout
        self._statements = load_statements("services.analytics")
        self._resources = self._statements["resource_scope"].sql
        self._resource_maps: dict[tuple[str, int], Mapping[str, Any]] = {}

    async def condition(self, tenant: str, query: Query | None, signal: Signal, span: TimeRange) -> Condition:
        """The query as a condition on the signal's table; `span` is the whole range of the search. Raises InvalidQuery."""
        # Compiled first without the store, which need not be asked about a query that says nothing.
        condition = _compiled(query, signal, self.every_resource)
        keys = fallback_keys(query, signal)
        if keys:
            condition = _compiled(query, signal, await self.query_scope(tenant, keys, span))
        names = parse_statement("condition", condition.sql).parameters
        bounds = {name: value for name, value in _whole_range(span).items() if name in names}
        return Condition(condition.sql, {**condition.parameters, **bounds})

    async def traces_by_structure(
        self, tenant: str, query: Query, span: TimeRange, before: TraceCursor, limit: int
    ) -> list[TraceCursor]:
        """Traces that begin in the range and fit, newest first, strictly before the cursor."""
        asked = StructuredQuery(Signal.TRACES, query)
        planner = Planner(asked, await self.query_scope(tenant, resource_keys(asked), span))
        values = {**_window(tenant, span), "before": before.time, "before_trace": before.trace_id}
        rows = (await self.run(planner.page(limit), "traces_by_structure", {**values, **_whole_range(span)})).rows
        return [TraceCursor(row["began"], row["id"]) for row in rows]

    async def services(self, tenant: str, span: TimeRange, step: int, service: str | None) -> Rows:
        """`service`, `is_total`, `step`, `requests`, `errors`, `quantiles` (p50, p90, p95, p99) of entry spans."""
        return await self._run(
            "services", {**_red(tenant, span, by_hour=step % 3600 == 0), "step": step}, service=service
        )

    async def service_names(self, tenant: str, span: TimeRange) -> list[str]:
        rows = await self._run("service_names", _window(tenant, span))
        return [row["service"] for row in rows]

    async def operations(self, tenant: str, span: TimeRange, service: str, limit: int) -> Rows:
        """`operation`, `kind`, `requests`, `errors`, `quantiles`, busiest first."""
        return await self._run("operations", {**_red(tenant, span, by_hour=True), "limit": limit}, service=service)

    async def trace_candidates(
        self, tenant: str, condition: Condition, start: int, before: TraceCursor, limit: int
    ) -> Rows:
        """`id`, `first_match` of traces with a match from `start` on, strictly before the cursor, newest first."""
        values = {"tenant": tenant, "from": start, "before": before.time, "before_trace": before.trace_id}
        return await self._run("trace_candidates", {**values, "limit": limit}, condition)

    async def trace_earlier_matches(
        self, tenant: str, condition: Condition, span: TimeRange, intervals: Intervals, trace_ids: Sequence[str]
    ) -> set[str]:
        """Those of the traces that have a match in `span`, looked for where `intervals` (unix seconds) say they were active."""
        values = {**_window(tenant, span), **_buckets(intervals), "trace_ids": list(trace_ids)}
        return {row["id"] for row in await self._run("trace_earlier_matches", values, condition)}

    async def trace_extents(self, tenant: str, trace_ids: Sequence[str]) -> dict[str, Intervals]:
        """First and last unix second of each trace on each of its days; traces that are not stored are absent."""
        extents: dict[str, Intervals] = {}
        for row in await self._run("trace_extents", {"tenant": tenant, "trace_ids": list(trace_ids)}):
            extents.setdefault(row["id"], []).append((row["first_second"], row["last_second"]))
        return extents

    async def trace_summaries(
        self, tenant: str, condition: Condition, span: TimeRange, intervals: Intervals, trace_ids: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """One row per trace over all its spans; `matched_count` counts those of `span` that fit the condition."""
        values = {**_window(tenant, span), **_seconds(intervals), **_buckets(intervals), "trace_ids": list(trace_ids)}
        return {row["id"]: row for row in await self._run("trace_summaries", values, condition)}

    async def trace_spans(self, tenant: str, intervals: Intervals, trace_id: str, limit: int) -> Rows:
        """Every field of up to `limit` spans, earliest first."""
        values = {"tenant": tenant, **_seconds(intervals), **_buckets(intervals), "trace_id": trace_id, "limit": limit}
        span = TimeRange(values["first_second"] * SECOND, values["last_second"] * SECOND)
        return await self._with_resources(tenant, span, await self._run("trace_spans", values))

    async def span_durations(
        self, tenant: str, condition: Condition, span: TimeRange, step: int, bounds: Sequence[int]
    ) -> Rows:
        """`step` (index since 1970), `bound`, `span_count`, `error_count`."""
        values = {**_window(tenant, span), "step": step, "bounds": list(bounds)}
        return await self._run("span_durations", values, condition)

    async def log_times(self, tenant: str, condition: Condition, span: TimeRange, limit: int) -> list[int]:
        """Times of the newest matching records, newest first, with repetitions."""
        rows = await self._run("log_times", {**_window(tenant, span), "limit": limit}, condition)
        return [row["filed"] for row in rows]

    async def log_rows(
        self, tenant: str, condition: Condition, times: Sequence[int], limit: int, start: LogCursor | None = None
    ) -> Rows:
        """Every field of the matching records filed at these times, from the cursor on."""
        chosen = sorted(set(times))
        values = {"tenant": tenant, "from": chosen[0], "to": chosen[-1] + 1, "times": chosen, "limit": limit}
        values |= _buckets([(time // 10**9, time // 10**9) for time in chosen])
        if start is not None:
            key = "({k_partition:UInt32}, {k_offset:UInt64}, {k_digest:UInt64})"
            condition = Condition(
                f"{condition.sql} AND (bus_partition, bus_offset, digest) <= {key}",
                {
                    **condition.parameters,
                    "k_partition": start.partition,
                    "k_offset": start.offset,
                    "k_digest": start.digest,
                },
            )
        rows = await self._run("log_rows", {**values, "offset": start.seen if start else 0}, condition)
        return await self._with_resources(tenant, TimeRange(chosen[0], chosen[-1]), rows)

    async def log_histogram(self, tenant: str, condition: Condition, span: TimeRange, step: int) -> Rows:
        """`step` (index since 1970), `level` (0 unset, 1 trace ... 6 fatal), `record_count`."""
        return await self._run("log_histogram", {**_window(tenant, span), "step": step}, condition)

    async def metric_catalogue(
        self, tenant: str, span: TimeRange, service: str | None, name_part: str, limit: int
    ) -> Rows:
        values = {**_window(tenant, span), "name_part": name_part, "limit": limit}
        return await self._run("metric_catalogue", values, service=service)

    async def metric_points(
        self, tenant: str, condition: Condition, span: TimeRange, name: str, start: PointCursor, limit: int
    ) -> Rows:
        """Every field of up to `limit` points from the cursor on, by service, series and time."""
        values = {
            **_window(tenant, span),
            "name": name,
            "after_service": start.service,
            "after_series": start.series,
            "after_time": start.time,
            "limit": limit,
            "offset": start.seen,
        }
        keys = await self._run("metric_point_keys", values, condition)
        if not keys:
            return []
        last = keys[-1]
        ends = {"last_service": last["owner"], "last_series": last["series_id"], "last_time": last["filed"]}
        rows = await self._run("metric_points", {**values, **ends}, condition)
        ids = sorted({row["series_id"] for row in rows})
        shared = await self._run("metric_series", {**_window(tenant, span), "name": name, "series": ids}) if ids else []
        by_series = {row["series_id"]: row for row in shared}
        # A series is stored before its points are.
        return [{**row, **by_series[row["series_id"]]} for row in rows]

    async def attribute_keys(
        self, tenant: str, signal: Signal, span: TimeRange, records: int, limit: int
    ) -> dict[str, Any]:
        """`record_count` of the records looked at, and `string_keys`, `int_keys`, `double_keys`, `other_keys`."""
        values = {**_window(tenant, span), "budget": records, "limit": limit}
        if signal is Signal.METRICS:
            return (await self._run("point_attribute_keys", values))[0]
        return (await self._run("attribute_keys", {**values, "table": SIGNALS[signal].table}))[0]

    async def resource_keys(self, tenant: str, span: TimeRange, limit: int) -> Rows:
        """`key`, `type_byte` of all resources of the range's days."""
        return await self._run("resource_keys", {**_window(tenant, span), "limit": limit})

    async def attribute_values(
        self, tenant: str, signal: Signal, span: TimeRange, key: str, prefix: str, records: int, limit: int
    ) -> Rows:
        """`value` (tagged payload in hex), `record_count` among up to `records` records."""
        values = {**_window(tenant, span), "key": key, "prefix": prefix, "budget": records, "limit": limit}
        if signal is Signal.METRICS:
            return await self._run("point_attribute_values", values)
        return await self._run("attribute_values", {**values, "table": SIGNALS[signal].table})

    async def resource_values(
        self, tenant: str, signal: Signal, span: TimeRange, key: str, prefix: str, limit: int
    ) -> Rows:
        values = {**_window(tenant, span), "key": key, "prefix": prefix, "limit": limit}
        return await self._run("resource_values", {**values, "table": SIGNALS[signal].table})

    async def field_values(self, tenant: str, signal: Signal, span: TimeRange, key: Key, limit: int) -> Rows:
        """`group_0`, the value as a tagged payload in hex, and `value_0`, how many records have it, most frequent first."""
        counted = Signal.SPANS if signal is Signal.TRACES else signal
        query = StructuredQuery(counted, aggregates=(Aggregate("count"),), group_by=(key,), limit=limit)
        planner = Planner(query, ResourceScope(self._resources, frozenset()))
        return (await self.run(planner.table(seconds=span.seconds), "field_values", _window(tenant, span))).rows

    @property
    def every_resource(self) -> ResourceScope:
        """All resources, whichever keys they have."""
        return ResourceScope(self._resources)

    async def query_scope(self, tenant: str, keys: frozenset[str], span: TimeRange) -> ResourceScope:
        """Where a structured query looks up `keys` of resources."""
        if not keys:
            return ResourceScope(self._resources, frozenset())
        rows = await self._run(
            "resource_keys_present", {"tenant": tenant, "from": span.start, "to": span.end, "keys": sorted(keys)}
        )
        return ResourceScope(self._resources, frozenset(rows[0]["present"]) if rows else frozenset())

    async def run(
        self, plan: Plan, name: str, values: Mapping[str, Any], settings: Mapping[str, Any] | None = None
    ) -> Answer:
        """Rows of a plan, and what was read for them. `values` may hold more than the plan's statement binds."""
        statement = parse_statement(name, plan.sql())
        bound = {**_whole_range(TimeRange(values["from"], values["to"])), **values, **plan.parameters}
        bound = {parameter: value for parameter, value in bound.items() if parameter in statement.parameters}
        return await self._clickhouse.query_with_cost(statement, bound, settings=settings, timeout=self._timeout)

    async def _with_resources(self, tenant: str, span: TimeRange, rows: Rows) -> Rows:
        """The rows with `resource_strings` and `resource_others` of their `resource`; `span` holds the times they are filed under."""
        wanted = {row["resource"] for row in rows}
        missing = [one for one in wanted if (tenant, one) not in self._resource_maps]
        if missing:
            values = {**_window(tenant, span), "fingerprints": missing}
            found = {(tenant, row["resource"]): row for row in await self._run("resource_maps", values)}
            self._resource_maps |= found
        maps = {one: self._resource_maps.get((tenant, one), _NO_MAPS) for one in wanted}
        while len(self._resource_maps) > _KNOWN_RESOURCES:
            del self._resource_maps[next(iter(self._resource_maps))]
        return [{**row, **maps[row["resource"]]} for row in rows]

    async def _run(
        self,
        name: str,
        values: Mapping[str, Any],
        condition: Condition | None = None,
        *,
        service: str | None = None,
    ) -> Rows:
        statement = self._statements[name]
        if condition is not None:
            statement, values = _with(statement, _CONDITION, condition), {**values, **condition.parameters}
        if service is not None:
            only = Condition("service = {service:String}", {"service": service})
            statement, values = _with(statement, _SERVICE, only), {**values, **only.parameters}
        return await self._clickhouse.query(statement, values, timeout=self._timeout)


def _with(statement: Statement, mark: str, condition: Condition) -> Statement:
    assert mark in statement.sql, f"{statement.name} takes no such condition"
    sql = statement.sql.removesuffix(SETTINGS).replace(mark, f"({condition.sql})") + SETTINGS
    return Statement(statement.name, sql, statement.parameters | condition.parameters.keys())


def _compiled(query: Query | None, signal: Signal, resources: ResourceScope) -> Condition:
    if query is not None and signal is Signal.TRACES and speaks_of_traces(query):
        return spans_of_traces(query, resources)
    return compile_query(query, signal, resources)


def _whole_range(span: TimeRange) -> dict[str, Any]:
    """Parameters for the range of a whole search where a statement reads a part: of its resources, and of its traces."""
    padding = PADDING_SECONDS * SECOND
    return {
        "range_from": span.start,
        "range_to": span.end,
        "traces_from": max(0, span.start - padding),
        "traces_to": span.end + padding,
    }


def _window(tenant: str, span: TimeRange) -> dict[str, Any]:
    return {"tenant": tenant, "from": span.start, "to": span.end}


def _red(tenant: str, span: TimeRange, *, by_hour: bool) -> dict[str, Any]:
    minutes_from, minutes_to = span.whole(60)
    # Without whole hours the rollup by minute is read from end to end.
    hours_from, hours_to = span.whole(3600) if by_hour else (minutes_to, minutes_to)
    return {
        **_window(tenant, span),
        "minutes_from": minutes_from,
        "minutes_to": minutes_to,
        "hours_from": hours_from,
        "hours_to": hours_to,
    }


def _buckets(intervals: Intervals) -> dict[str, Any]:
    starts, ends = buckets(intervals)
    return {"bucket_starts": starts, "bucket_ends": ends}


def _seconds(intervals: Intervals) -> dict[str, Any]:
    return {"first_second": min(first for first, _ in intervals), "last_second": max(last for _, last in intervals)}
