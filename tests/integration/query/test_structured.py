"""Every aggregate and structure of a structured query equals a pandas reference over random telemetry, on the real engine."""

import json
import math
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.clickhouse import ClickHouse
from libs.common.query.structured_parser import parse_structured
from services.analytics.repository import TelemetryRepository
from services.analytics.structured_query import WEEK, StructuredQueries
from services.analytics.time_range import SECOND, TimeRange
from tests.fixtures.telemetry import create_schema, store
from tests.integration.query.records import fill_attributes

START = 1_700_000_000 * SECOND
SPAN = TimeRange(START + 7 * SECOND + 3, START + 1207 * SECOND)
MS = 10**6


def _traces(chance: random.Random) -> pd.DataFrame:
    """Random trees of spans, some beyond the range on either side and some a range or a week before."""
    rows = []
    for trace in range(160):
        start = START + chance.randrange(-1500, 1400) * SECOND + chance.randrange(10**9)
        start -= chance.choice((0, 0, 0, SPAN.end - SPAN.start, WEEK))
        spans: list[dict[str, Any]] = []
        for index in range(chance.choice((1, 1, 2, 3, 5, 8))):
            parent = chance.choice(spans) if spans and chance.random() < 0.9 else None
            code = chance.choice((200, "200", 404, 500, 2.5, True, None, None))
            spans.append(
                {
                    "trace": trace,
                    "span": index + 1,
                    "parent": parent["span"] if parent else chance.choice((0, 0, 99)),
                    "time": start + chance.randrange(0, 3 * 10**9),
                    "duration": chance.randrange(0, 2000) * MS,
                    "service": chance.choice(("web", "cart", "db", "")),
                    "name": chance.choice(("GET /", "SELECT", "pay")),
                    "status": chance.choice((0, 0, 1, 2)),
                    "host": chance.choice(("h1", "h2", None)),
                    **({} if code is None else {"code": code}),
                    **({"host.name": "own"} if chance.random() < 0.2 else {}),
                }
            )
        rows += spans
    return pd.DataFrame(rows)


def _request(frame: pd.DataFrame) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for row in frame.to_dict("records"):
        resource = request.resource_spans.add()
        if row["service"]:
            resource.resource.attributes.add(key="service.name").value.string_value = row["service"]
        if isinstance(row["host"], str):
            resource.resource.attributes.add(key="host.name").value.string_value = row["host"]
        span = resource.scope_spans.add().spans.add(
            trace_id=row["trace"].to_bytes(16, "big"),
            span_id=row["span"].to_bytes(8, "big"),
            parent_span_id=row["parent"].to_bytes(8, "big") if row["parent"] else b"",
            name=row["name"],
            kind=2,
            start_time_unix_nano=row["time"],
            end_time_unix_nano=row["time"] + row["duration"],
        )
        span.status.code = row["status"]
        fill_attributes(
            span.attributes, {key: row[key] for key in ("code", "host.name") if key in row and _sent(row, key)}
        )
    return request


def _sent(row: dict[str, Any], key: str) -> bool:
    # pandas fills what a row does not have with NaN.
    return not (isinstance(row[key], float) and math.isnan(row[key]))


FRAME = _traces(random.Random(5))


def _number(value: Any) -> float:
    """What an attribute is to an aggregate of numbers."""
    return math.nan if isinstance(value, bool) else float(value)


def _key(value: Any) -> str:
    """Groups apart by type: 200 and "200" are two."""
    return json.dumps(None if value is None or (isinstance(value, float) and math.isnan(value)) else value)


@dataclass
class Engine:
    queries: StructuredQueries

    async def ask(self, text: str, span: TimeRange = SPAN) -> dict[str, Any]:
        return await self.queries.answer("t1", parse_structured(text), span, SPAN.end)


@pytest.fixture
async def engine(clickhouse: ClickHouse) -> AsyncIterator[Engine]:
    await create_schema(clickhouse)
    await store(clickhouse, [_request(FRAME)], received_at=START)
    await store(clickhouse, [_request(FRAME.assign(service="other"))], received_at=START, tenant="t2")
    return Engine(StructuredQueries(TelemetryRepository(clickhouse, timeout=60)))


def _inside(frame: pd.DataFrame, span: TimeRange = SPAN, column: str = "time") -> pd.DataFrame:
    return frame[(frame[column] >= span.start) & (frame[column] < span.end)]


def _host(row: pd.Series) -> Any:
    return row["host.name"] if isinstance(row["host.name"], str) else row["host"]


COLUMNS = {
    "service": lambda frame: frame["service"].where(frame["service"] != "", None),
    "operation": lambda frame: frame["name"],
    "status": lambda frame: frame["status"].map(["unset", "ok", "error"].__getitem__),
    "host.name": lambda frame: frame.apply(_host, axis=1) if len(frame) else frame["host"],
    "resource.host.name": lambda frame: frame["host"],
    "code": lambda frame: frame["code"],
    "duration": lambda frame: frame["duration"],
}
CONDITIONS = {
    "": lambda frame: frame["span"] > 0,
    "service=web": lambda frame: frame["service"] == "web",
    "duration>=500ms NOT status=error": lambda frame: (frame["duration"] >= 500 * MS) & (frame["status"] != 2),
    "resource.host.name=h1 OR name:S*": lambda frame: (frame["host"] == "h1") | (frame["name"] == "SELECT"),
}
NUMBERS = ("duration", "code")


def _aggregate(text: str, frame: pd.DataFrame, seconds: float) -> float | None:
    function, _, inside = text.removesuffix(")").partition("(")
    match function:
        case "count":
            return len(frame)
        case "rate":
            return len(frame) / seconds
        case "error_rate":
            return (frame["status"] == 2).mean()
        case "share":
            return CONDITIONS[inside](frame).mean()
        case "count_distinct":
            keys = COLUMNS[inside](frame).map(_key)
            return float(keys[keys != "null"].nunique())
    numbers = COLUMNS[inside](frame).map(_number).astype("float64")
    numbers = numbers.replace([np.inf, -np.inf], np.nan).dropna()
    if function.startswith("p"):
        return float(numbers.quantile(float(function[1:]) / 100)) if len(numbers) else None
    return float(getattr(numbers, {"avg": "mean"}.get(function, function))()) if len(numbers) else None


def _same(found: Any, expected: float | None) -> bool:
    if expected is None or math.isnan(expected):
        return found is None
    return found is not None and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


AGGREGATES = st.one_of(
    st.sampled_from(["count()", "rate()", "error_rate()", *(f"share({text})" for text in CONDITIONS if text)]),
    st.builds(
        lambda function, key: f"{function}({key})",
        st.sampled_from(["sum", "avg", "min", "max", "p50", "p95", "p99.9", "p0", "p100"]),
        st.sampled_from(NUMBERS),
    ),
    st.sampled_from([f"count_distinct({key})" for key in COLUMNS if key != "duration"]),
)


@pytest.mark.timeout(300)
@given(
    condition=st.sampled_from(list(CONDITIONS)),
    aggregates=st.lists(AGGREGATES, min_size=1, max_size=3),
    keys=st.lists(st.sampled_from([key for key in COLUMNS if key != "duration"]), max_size=2, unique=True),
    step=st.sampled_from([0, 60, 300]),
    compare=st.sampled_from(["", "previous", "week"]),
    more=st.sampled_from(["", "| having count() > 2", "| top 2"]),
)
@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_aggregates_of_spans(
    engine: Engine, condition: str, aggregates: list[str], keys: list[str], step: int, compare: str, more: str
) -> None:
    by = f" by {', '.join(keys)}" if keys else ""
    series = f"| series {step}s" if step else ""
    beside = f"| compare {compare}" if compare else ""
    if not keys and more:
        more = ""
    answer = await engine.ask(f"{condition} | {', '.join(aggregates)}{by} {more} {series} {beside}")
    groups = _groups(CONDITIONS, COLUMNS, _inside(FRAME), condition, keys)
    if "having" in more:
        groups = {key: rows for key, rows in groups.items() if len(rows) > 2}
    found = {tuple(map(json.dumps, row[: len(keys)])): row[len(keys) :] for row in answer["rows"]}
    if "top" in more:
        firsts = [_aggregate(aggregates[0], rows, SPAN.seconds) for rows in groups.values()]
        ranked = sorted((-math.inf if value is None or math.isnan(value) else value for value in firsts), reverse=True)
        shown = [-math.inf if row[0] is None else row[0] for row in found.values()]
        assert np.allclose(shown, ranked[:2]) or shown == ranked[:2]
        assert answer["partial"] == (len(groups) > 2)
    else:
        assert found.keys() == groups.keys()
    other = TimeRange(SPAN.start - _back(compare), SPAN.end - _back(compare))
    compared = _groups(CONDITIONS, COLUMNS, _inside(FRAME, other), condition, keys) if compare else {}
    for row, (key, values) in enumerate(found.items()):
        _check_values(values, aggregates, groups[key], SPAN)
        if step:
            _check_series(answer["series"], row, aggregates, groups[key], SPAN)
        if compare:
            there = compared.get(key)
            if there is None:
                assert answer["comparison"]["values"][row] == [None] * len(aggregates)
            else:
                _check_values(answer["comparison"]["values"][row], aggregates, there, other)
                if step:
                    _check_series(answer["comparison"]["series"], row, aggregates, there, other)
    assert answer["read"]["statements"] >= 1


def _back(compare: str) -> int:
    return WEEK if compare == "week" else SPAN.end - SPAN.start


def _groups(
    conditions: Any, columns: Any, frame: pd.DataFrame, condition: str, keys: list[str]
) -> dict[tuple[str, ...], pd.DataFrame]:
    chosen = frame[conditions[condition](frame)]
    if not keys:
        return {(): chosen}
    labels = list(zip(*(columns[key](chosen).map(_key) for key in keys), strict=True))
    return {key: chosen[[label == key for label in labels]] for key in dict.fromkeys(labels)}


def _check_values(values: list[Any], aggregates: list[str], frame: pd.DataFrame, span: TimeRange) -> None:
    for value, text in zip(values, aggregates, strict=True):
        assert _same(value, _aggregate(text, frame, span.seconds)), (text, value)


def _check_series(
    series: dict[str, Any], row: int, aggregates: list[str], frame: pd.DataFrame, span: TimeRange
) -> None:
    width = series["step_seconds"] * SECOND
    for index, text in enumerate(aggregates):
        for start, value in zip(map(int, series["time_unix_nano"]), series["values"][row][index], strict=True):
            step = TimeRange(max(start, span.start), min(start + width, span.end))
            there = _inside(frame, step)
            assert _same(value, _aggregate(text, there, step.seconds) if len(there) else None), (text, start, value)


# -- whole traces


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for trace, spans in frame.groupby("trace"):
        ids = set(spans["span"])
        roots = spans.assign(is_child=spans["parent"].isin(ids), has_parent=spans["parent"] != 0).sort_values(
            ["is_child", "has_parent", "time", "span"]
        )
        root = roots.iloc[0]
        rows.append(
            {
                "trace": trace,
                "time": spans["time"].min(),
                "duration": (spans["time"] + spans["duration"]).max() - spans["time"].min(),
                "span_count": len(spans),
                "error_count": (spans["status"] == 2).sum(),
                "root.service": root["service"] or None,
                "root.operation": root["name"],
            }
        )
    return pd.DataFrame(rows)


WHOLE = _whole(FRAME)
SETS = {
    "{service=web}": lambda spans: spans["service"] == "web",
    "{status=error}": lambda spans: spans["status"] == 2,
    "{service=db duration>500ms}": lambda spans: (spans["service"] == "db") & (spans["duration"] > 500 * MS),
    "{}": lambda spans: spans["span"] > 0,
    "service=cart status=error": lambda spans: (spans["service"] == "cart") & (spans["status"] == 2),
}


def _paths(texts: tuple[str, ...], steps: tuple[str, ...], spans: pd.DataFrame) -> bool:
    parents = dict(zip(spans["span"], spans["parent"], strict=True))
    fits = [set(spans[SETS[text](spans)]["span"]) for text in texts]
    reached = fits[0]
    for step, wanted in zip(steps, fits[1:], strict=True):
        below = set()
        for span in wanted:
            parent = parents[span]
            while parent in parents:
                if parent in reached:
                    below.add(span)
                    break
                if step == ">":
                    break
                parent = parents[parent]
        reached = below
    return bool(reached)


@st.composite
def _structures(draw: st.DrawFn) -> tuple[str, Any]:
    braced = [text for text in SETS if text.startswith("{")]
    match draw(st.sampled_from(["set", "both", "not", "path", "path", "field"])):
        case "set":
            text = draw(st.sampled_from(list(SETS)))
            return text, lambda spans, _: SETS[text](spans).any()
        case "both":
            one, other = draw(st.sampled_from(braced)), draw(st.sampled_from(braced))
            return f"{one} {other}", lambda spans, _: SETS[one](spans).any() and SETS[other](spans).any()
        case "not":
            text = draw(st.sampled_from(braced))
            return f"NOT {text} OR trace.span_count>4", lambda spans, row: not SETS[text](spans).any() or len(spans) > 4
        case "path":
            texts = tuple(draw(st.lists(st.sampled_from(braced), min_size=2, max_size=3)))
            steps = tuple(draw(st.sampled_from([">", ">>"])) for _ in texts[1:])
            written = texts[0] + "".join(f" {step} {text}" for step, text in zip(steps, texts[1:], strict=True))
            return written, lambda spans, _: _paths(texts, steps, spans)
        case _:
            return (
                "root.service=web OR (trace.duration>2s root.operation=pay trace.error_count>=1)",
                lambda spans, row: (
                    row["root.service"] == "web"
                    or (row["duration"] > 2 * SECOND and row["root.operation"] == "pay" and row["error_count"] >= 1)
                ),
            )


@pytest.mark.timeout(300)
@given(structure=_structures())
@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_traces_by_structure(engine: Engine, structure: tuple[str, Any]) -> None:
    text, holds = structure
    inside = _inside(WHOLE)
    expected = inside[
        inside.apply(lambda row: bool(holds(FRAME[FRAME["trace"] == row["trace"]], row)), axis=1).astype(bool)
    ]
    listed = await engine.ask(f"from traces {text} | limit 1000")
    assert [int(row[1], 16) for row in listed["rows"]] == list(expected.sort_values("time", ascending=False)["trace"])
    answer = await engine.ask(
        f"from traces {text} | count(), p50(trace.duration), error_rate(), avg(trace.span_count) by root.service | limit 9"
    )
    labels = [_key(service) for service in expected["root.service"]]
    assert {json.dumps(row[0]) for row in answer["rows"]} == set(labels)
    for row in answer["rows"]:
        frame = expected[[label == json.dumps(row[0]) for label in labels]]
        wanted = (
            len(frame),
            frame["duration"].quantile(0.5),
            (frame["error_count"] > 0).mean(),
            frame["span_count"].mean(),
        )
        assert all(_same(value, float(number)) for value, number in zip(row[1:], wanted, strict=True))


# -- logs


async def test_numbers_inside_bodies_and_levels_from_text(engine: Engine, clickhouse: ClickHouse) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for index in range(20):
        record = records.add(time_unix_nano=SPAN.start + index * SECOND, severity_text=("WARN", "info")[index % 2])
        record.body.string_value = json.dumps({"order": {"id": index, "shop": "서울" if index % 4 else "부산"}})
    records.add(time_unix_nano=SPAN.start, severity_number=17).body.string_value = "no json {"
    await store(clickhouse, [request], received_at=START)
    answer = await engine.ask(
        "from logs body.order.id>=5 | count(), sum(body.order.id), error_rate() by body.order.shop, severity"
    )
    frame = pd.DataFrame(
        [
            {"id": index, "shop": "서울" if index % 4 else "부산", "level": ("warn", "info")[index % 2]}
            for index in range(5, 20)
        ]
    )
    expected = {key: (len(rows), float(rows["id"].sum()), 0.0) for key, rows in frame.groupby(["shop", "level"])}
    assert {tuple(row[:2]): tuple(row[2:]) for row in answer["rows"]} == expected
    answer = await engine.ask("from logs severity>=warn | count(), error_rate()")
    assert answer["rows"] == [[11, pytest.approx(1 / 11)]]


async def test_an_empty_range_and_another_tenant(engine: Engine) -> None:
    nothing = TimeRange(START - 400 * WEEK, START - 400 * WEEK + SECOND)
    answer = await engine.ask("| count(), p95(duration) | series 1s", nothing)
    assert (answer["rows"], answer["series"]["values"], answer["partial"]) == ([[0, None]], [[[None], [None]]], False)
    assert (await engine.ask("| count() by service", nothing))["rows"] == []
    assert (await engine.ask("service=other | count()"))["rows"] == [[0]]
