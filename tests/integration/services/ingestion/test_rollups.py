"""Every rollup against a recount in Python of what was sent, from several batches, before and after merges."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.clickhouse import ClickHouse
from tests.fixtures.telemetry import create_schema, store

NOW = 1_767_261_600 * 10**9
DAY = 86400 * 10**9
LARGEST = 2**63 - 1


def _attributes(resourced: Any, values: Iterable[tuple[str, str]]) -> None:
    for key, value in values:
        resourced.attributes.add(key=key).value.string_value = value


def _times(dice: random.Random) -> tuple[int, int]:
    """Start and end: nearly all usual, some absurd."""
    start = NOW - dice.randrange(3 * 3600) * 10**9 - dice.randrange(10**9)
    match dice.randrange(30):
        case 0:
            return 0, start
        case 1:
            return start, start - dice.randrange(1, 10**10)
        case 2:
            return start, 0
        case 3:
            return start, 2**64 - 1
        case 4:
            return start, start
        case _:
            return start, start + int(dice.lognormvariate(14.5, 2))


def _spans(dice: random.Random, count: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for _ in range(4):
        resourced = request.resource_spans.add()
        known = [("service.name", dice.choice("ab")), (dice.choice(["deployment.environment", "deployment.environment.name"]), dice.choice(["prod", "dev"])),
                 ("service.namespace", "shop"), ("service.version", dice.choice(["1", "2"])), ("host.name", dice.choice("xyz"))]  # fmt: skip
        dice.shuffle(known)
        _attributes(resourced.resource, known)
        spans = resourced.scope_spans.add().spans
        for _ in range(count // 4):
            start, end = _times(dice)
            span = spans.add(
                trace_id=dice.randbytes(1) * 16, span_id=dice.randbytes(8), name=dice.choice(["GET", "PUT"]), kind=dice.randrange(1, 6),
                parent_span_id=dice.choice([b"", b"parentid"]), start_time_unix_nano=start, end_time_unix_nano=end,
            )  # fmt: skip
            span.status.code = dice.choice([0, 0, 1, 2])
    return request


def _recounted(requests: Iterable[ExportTraceServiceRequest], step: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(
        lambda: {"n": 0, "errors": 0, "unmeasured": 0, "durations": []}
    )
    for request in requests:
        for resourced in request.resource_spans:
            of = {a.key: a.value.string_value for a in resourced.resource.attributes}
            environment = of.get("deployment.environment.name") or of.get("deployment.environment")
            for span in resourced.scope_spans[0].spans:
                filed = span.start_time_unix_nano or NOW
                key = (filed // 10**9 // step * step, of["service.name"], environment, of["service.namespace"], of["service.version"],
                       span.name, span.kind, span.kind in {2, 5} or not span.parent_span_id)  # fmt: skip
                entry, duration = found[key], span.end_time_unix_nano - span.start_time_unix_nano
                entry["n"] += 1
                entry["errors"] += span.status.code == 2
                if not span.start_time_unix_nano or not 0 <= duration <= 30 * DAY:
                    entry["unmeasured"] += 1
                else:
                    entry["durations"].append(duration)
    return found


RED = """SELECT toInt64(toUnixTimestamp(time)) AS at, service, environment, service_namespace, service_version, operation, kind, is_entry,
    sum(request_count) AS n, sum(error_count) AS errors, sum(unmeasured_count) AS unmeasured, sum(duration_sum_nano) AS total,
    min(duration_min_nano) AS shortest, max(duration_max_nano) AS longest, sumMap(duration_buckets) AS buckets
FROM {table} GROUP BY ALL"""


async def test_red_figures_are_a_recount(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    dice = random.Random(11)
    requests = [_spans(dice, 400) for _ in range(5)]
    for number, request in enumerate(requests):
        await store(clickhouse, [request], received_at=NOW, first_offset=number)
    for merged in (False, True):
        for table, step in (("red_1m", 60), ("red_1h", 3600)):
            if merged:
                await clickhouse.command(f"OPTIMIZE TABLE {table} FINAL")
            expected = _recounted(requests, step)
            rows = await clickhouse.query(RED.format(table=table))
            assert len(rows) == len(expected)
            for row in rows:
                entry = expected[tuple(list(row.values())[:8])]
                durations = sorted(entry["durations"])
                assert (row["n"], row["errors"], row["unmeasured"]) == (
                    entry["n"],
                    entry["errors"],
                    entry["unmeasured"],
                )
                assert row["total"] == sum(durations)
                assert sum(row["buckets"].values()) == len(durations)
                if durations:
                    assert (row["shortest"], row["longest"]) == (durations[0], durations[-1])
                for bucket, many in row["buckets"].items():
                    low, high = (-1, 0) if bucket == -32768 else (2 ** (bucket / 64), 2 ** ((bucket + 1) / 64))
                    # Floats of both sides may put a duration on either side of a bound that it touches.
                    assert abs(sum(low * (1 + 1e-12) < d <= high * (1 + 1e-12) for d in durations) - many) <= sum(
                        math.isclose(d, bound, rel_tol=1e-11) for d in durations for bound in (low, high)
                    )
    resources = await clickhouse.query("SELECT uniqExact(resource_fingerprint) AS n FROM resources")
    sent = {
        tuple(sorted((a.key, a.value.string_value) for a in r.resource.attributes))
        for request in requests
        for r in request.resource_spans
    }
    assert resources == [{"n": len(sent)}]
    traces = await clickhouse.query(
        "SELECT hex(trace_id) AS id, toUnixTimestamp(min(trace_index.first_time)) AS first FROM trace_index GROUP BY id"
    )
    assert {row["id"] for row in traces} == {
        span.trace_id.hex().upper() for r in requests for x in r.resource_spans for span in x.scope_spans[0].spans
    }


async def test_one_resource_in_any_order_of_its_attributes_is_one(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    known = [("service.name", "a"), ("host.name", "h"), ("k", ""), ("z", "1")]
    for offset in range(4):
        random.Random(offset).shuffle(known)
        traces, logs, metrics = ExportTraceServiceRequest(), ExportLogsServiceRequest(), ExportMetricsServiceRequest()
        traces.resource_spans.add().scope_spans.add().spans.add(
            trace_id=b"t" * 16, span_id=b"s" * 8, start_time_unix_nano=NOW
        )
        logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW)
        metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(
            time_unix_nano=NOW, as_int=1
        )
        for request in (traces, logs, metrics):
            (resourced,) = request.ListFields()[0][1]
            _attributes(resourced.resource, known)
            await store(clickhouse, [request], received_at=NOW, first_offset=offset)
    for table in ("spans", "logs", "metric_points", "resources"):
        rows = await clickhouse.query(f"SELECT DISTINCT resource_fingerprint AS id FROM {table}")
        assert len(rows) == 1, table
    assert await clickhouse.query("SELECT uniqExact(series) AS n, count() AS points FROM metric_points") == [
        {"n": 1, "points": 4}
    ]


async def test_durations_saturate_and_the_end_as_sent_comes_back(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    times = [
        (NOW, NOW + 5),
        (NOW, 2**64 - 1),
        (2**64 - 1, 0),
        (0, 2**64 - 1),
        (0, 2**63),
        (0, 2**63 - 1),
        (0, 0),
        (NOW, 0),
        (2**63, 0),
        (5, 4),
    ]
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, (start, end) in enumerate(times):
        spans.add(trace_id=b"t" * 16, span_id=bytes([number] * 8), start_time_unix_nano=start, end_time_unix_nano=end)
    await store(clickhouse, [request], received_at=NOW)
    rows = await clickhouse.query(
        "SELECT start_time_unix_nano AS start, end_time_unix_nano AS end, duration_nano AS duration FROM spans ORDER BY span_id"
    )
    assert [(row["start"], row["end"]) for row in rows] == times
    assert [row["duration"] for row in rows] == [max(-LARGEST, min(LARGEST, end - start)) for start, end in times]
    found = await clickhouse.query("SELECT count() AS n FROM spans WHERE duration_nano > 3600000000000")
    assert found == [{"n": sum(end - start > 3600 * 10**9 for start, end in times)}]


async def test_a_span_that_stands_for_others_counts_as_many(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    await clickhouse.command(
        "INSERT INTO received_spans (tenant, time, service, name, kind, duration_nano, status_code, sample_weight)"
        " SELECT 't1', '2026-01-01 10:00:00', 'a', 'GET', 2, 1000, if(number = 0, 2, 0), 10 FROM numbers(3)"
    )
    for table in ("red_1m", "red_1h"):
        rows = await clickhouse.query(
            f"SELECT sum(request_count) AS n, sum(error_count) AS errors, sum(duration_sum_nano) AS total, sumMap(duration_buckets) AS buckets FROM {table}"
        )
        assert rows == [{"n": 30, "errors": 10, "total": 30_000, "buckets": {637: 30}}]


async def test_an_attribute_that_is_an_id_bounds_what_it_adds(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    await clickhouse.command(
        "INSERT INTO received_spans (tenant, time, service, name, kind, duration_nano, resource_string)"
        " SELECT 't1', '2026-01-01 10:00:00', 'a', 'GET', 2, 1000, map('service.version', toString(number)) FROM numbers(500)"
    )
    rows = await clickhouse.query(
        "SELECT count() AS n, sum(request_count) AS requests, countIf(service_version = '(other)') AS others FROM red_1m"
    )
    assert rows == [{"n": 101, "requests": 500, "others": 1}]


async def test_metric_rollups_are_a_recount(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    dice = random.Random(5)
    sent: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for offset in range(6):
        request = ExportMetricsServiceRequest()
        metrics = request.resource_metrics.add().scope_metrics.add().metrics
        for name in ("up", "down"):
            points = metrics.add(name=name).gauge.data_points
            for _ in range(60):
                at, value = NOW - dice.randrange(7200 * 10**9), dice.uniform(-5, 5)
                sent[name, at // 10**9 // 300 * 300].append((at, value))
                points.add(time_unix_nano=at, as_double=value)
            points.add(time_unix_nano=NOW, flags=1)  # nothing was recorded
        await store(clickhouse, [request], received_at=NOW, first_offset=offset)
    by_hour: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for (name, at), points_of in sent.items():
        by_hour[name, at // 3600 * 3600] += points_of
    for table, expected in (("metric_5m", sent), ("metric_1h", by_hour)):
        rows = await clickhouse.query(
            f"SELECT name, toInt64(toUnixTimestamp(time)) AS at, point_count, value_sum, value_min, value_max, first.value AS opened, last.value AS closed FROM {table} FINAL"
        )
        assert {(row["name"], row["at"]) for row in rows} == expected.keys()
        for row in rows:
            values = [value for _, value in sorted(expected[row["name"], row["at"]])]
            assert row["point_count"] == len(values)
            assert math.isclose(row["value_sum"], sum(values), abs_tol=1e-9)
            assert (row["value_min"], row["value_max"]) == (min(values), max(values))
            assert (row["opened"], row["closed"]) == (values[0], values[-1])


async def test_a_severity_in_words_counts_as_one(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    said = {
        "WARN": 13,
        " warning ": 13,
        "Error": 17,
        "경고": 13,
        "오류": 17,
        "fatal": 21,
        "INFO2": 10,
        "notice": 10,
        "whatever": 0,
        "": 0,
        "치명": 21,
    }
    for number, text in enumerate(said):
        records.add(time_unix_nano=NOW + number, severity_text=text)
    records.add(time_unix_nano=NOW + 100, severity_text="WARN", severity_number=5)
    await store(clickhouse, [request], received_at=NOW)
    rows = await clickhouse.query("SELECT severity, severity_number, severity_text FROM logs ORDER BY time")
    assert [(row["severity_text"], row["severity"], row["severity_number"]) for row in rows] == [
        *((text, number, 0) for text, number in said.items()), ("WARN", 5, 5),
    ]  # fmt: skip


async def test_attribute_values_are_a_recount(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    dice = random.Random(3)
    expected: dict[tuple[str, str, bool, str], int] = defaultdict(int)
    for offset in range(3):
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        for number in range(300):
            span = spans.add(trace_id=b"t" * 16, span_id=dice.randbytes(8), start_time_unix_nano=NOW)
            route, status, flag = f"/r/{dice.randrange(20)}", dice.choice([200, 404]), dice.choice([True, False])
            span.attributes.add(key="route").value.string_value = route
            span.attributes.add(key="id").value.string_value = f"{offset}-{number}"
            span.attributes.add(key="long").value.string_value = "x" * 257
            span.attributes.add(key="status").value.int_value = status
            span.attributes.add(key="flag").value.bool_value = flag
            span.attributes.add(key="share").value.double_value = dice.random()
            for entry in (
                ("route", "s", True, route), ("id", "s", False, ""), ("long", "s", False, ""), ("status", "i", True, str(status)),
                ("flag", "t" if flag else "f", True, ""), ("share", "d", False, ""),
            ):  # fmt: skip
                expected[entry] += 1
        await store(clickhouse, [request], received_at=NOW, first_offset=offset)
    rows = await clickhouse.query(
        "SELECT key, type, is_listed, value, sum(record_count) AS n FROM span_attribute_values GROUP BY ALL"
    )
    assert {(row["key"], row["type"], row["is_listed"], row["value"]): row["n"] for row in rows} == expected
