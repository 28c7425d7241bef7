"""The store reads only what a question is about: EXPLAIN shows each statement skipping what lies outside its time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.message import Message

from libs.common.clickhouse import Statement
from libs.common.query import Signal, parse, parse_key
from services.analytics.cursors import LogCursor, PointCursor, TraceCursor
from services.analytics.repository import TelemetryRepository
from services.analytics.time_range import TimeRange
from tests.integration.query import records
from tests.integration.services.analytics.conftest import NOW, Analytics

HOUR = 3600 * 10**9
SPAN = TimeRange(NOW - 600 * 10**9, NOW)
SPELLS = [((NOW - 600 * 10**9) // 10**9, NOW // 10**9)]
TRACE = "ab" * 16


class Explaining(TelemetryRepository):
    """Runs every statement as EXPLAIN too, and keeps the granules read and present by table of the last one."""

    granules: dict[str, tuple[int, int]]

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        async with self._explained("query_with_cost"):
            return await super().run(*args, **kwargs)

    async def _run(self, *args: Any, **kwargs: Any) -> Any:
        async with self._explained("query"):
            return await super()._run(*args, **kwargs)

    @asynccontextmanager
    async def _explained(self, way: str) -> AsyncIterator[None]:
        plans: dict[str, tuple[int, int]] = {}
        query, original = self._clickhouse.query, getattr(self._clickhouse, way)

        async def explain(statement: Statement, values: Any, **options: Any) -> Any:
            rows = await query(
                f"EXPLAIN PLAN json = 1, indexes = 1 {statement.sql}", values, timeout=options["timeout"]
            )
            _collect(json.loads("\n".join(row["explain"] for row in rows)), plans)
            return await original(statement, values, **options)

        setattr(self._clickhouse, way, explain)
        try:
            yield
        finally:
            setattr(self._clickhouse, way, original)
            self.granules = plans


def _collect(node: Any, plans: dict[str, tuple[int, int]]) -> None:
    if isinstance(node, list):
        for inner in node:
            _collect(inner, plans)
    elif isinstance(node, dict):
        indexes = node.get("Indexes")
        if indexes and "Description" in node:
            table = node["Description"].split(".")[-1]
            kept, present = indexes[-1]["Selected Granules"], indexes[0]["Initial Granules"]
            before = plans.get(table, (0, 0))
            plans[table] = (before[0] + kept, before[1] + present)
        for inner in node.values():
            _collect(inner, plans)


@pytest.fixture
async def repository(analytics: Analytics) -> Explaining:
    """A day of data at one record a second, in small granules, merged into one part per table and partition."""
    for table in ("spans", "logs", "metric_points", "red_1m"):
        created = (await analytics.clickhouse.query(f"SHOW CREATE TABLE {table}"))[0]["statement"]
        await analytics.clickhouse.command(f"DROP TABLE {table} SYNC")
        assert "index_granularity = 8192" in created
        await analytics.clickhouse.command(created.replace("index_granularity = 8192", "index_granularity = 64"))
    some = records.samples(60)
    requests: tuple[list[Message], ...] = ([], [], [])
    for minute in range(0, 24 * 60, 5):
        time = NOW - minute * 60 * 10**9 - 1
        for record in some:
            record.fields["trace_id"] = minute.to_bytes(2, "big") * 8 if minute else b"\xab" * 16
        for signal, make in zip(requests, (records.traces, records.logs, records.metrics), strict=True):
            signal.append(make(some, time))
    for signal in requests:
        await analytics.store(*signal)
    for table in ("spans", "logs", "metric_points", "red_1m"):
        await analytics.clickhouse.command(f"OPTIMIZE TABLE {table} FINAL", timeout=60)
    return Explaining(analytics.clickhouse, timeout=20)


async def test_every_statement_prunes(repository: Explaining) -> None:
    condition = await repository.condition("t1", parse("service=checkout b!=x"), Signal.TRACES, SPAN)
    log_condition = await repository.condition("t1", parse("service=checkout"), Signal.LOGS, SPAN)
    point_condition = await repository.condition("t1", parse("a=b"), Signal.METRICS, SPAN)
    read: dict[str, dict[str, float]] = {}

    async def share(name: str, work: Any) -> None:
        await work
        read[name] = {table: kept / present for table, (kept, present) in repository.granules.items() if present > 20}

    await share("trace_candidates", repository.trace_candidates("t1", condition, SPAN.start, TraceCursor(NOW, ""), 5))
    await share("trace_earlier_matches", repository.trace_earlier_matches("t1", condition, SPAN, SPELLS, [TRACE]))
    await share("trace_summaries", repository.trace_summaries("t1", condition, SPAN, SPELLS, [TRACE]))
    await share("trace_spans", repository.trace_spans("t1", SPELLS, TRACE, 10))
    await share("span_durations", repository.span_durations("t1", condition, SPAN, 60, [0, 10]))
    await share("services", repository.services("t1", SPAN, 60, None))
    await share("service", repository.services("t1", SPAN, 60, "checkout"))
    await share("operations", repository.operations("t1", SPAN, "checkout", 5))
    await share("log_times", repository.log_times("t1", log_condition, SPAN, 5))
    await share("log_rows", repository.log_rows("t1", log_condition, [NOW - 1], 5, LogCursor.before(NOW)))
    await share("log_histogram", repository.log_histogram("t1", log_condition, SPAN, 60))
    points = repository.metric_points("t1", point_condition, SPAN, "m", PointCursor("", 0, 0, 0), 5)
    await share("metric_points", points)
    await share("attribute_keys", repository.attribute_keys("t1", Signal.TRACES, SPAN, 100, 10))
    await share("point_attribute_keys", repository.attribute_keys("t1", Signal.METRICS, SPAN, 100, 10))
    await share("attribute_values", repository.attribute_values("t1", Signal.LOGS, SPAN, "a", "", 100, 10))
    await share("resource_values", repository.resource_values("t1", Signal.TRACES, SPAN, "a", "", 10))
    await share("field_values", repository.field_values("t1", Signal.LOGS, SPAN, parse_key("service"), 10))
    # Ten minutes of a day are less than a hundredth; metrics are sorted by the hour, hence a twelfth.
    pruned = {name: tables for name, tables in read.items() if tables}
    assert len(pruned) >= 15, read
    for name, tables in pruned.items():
        for table, part in tables.items():
            assert part <= (0.15 if table in {"metric_points", "red_1m"} else 0.05), (name, table, part)
