"""Search over random traces, page by page, against the plain reading of what it promises."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from services.analytics.schemas import DurationHeatMap, TraceList
from services.analytics.settings import AnalyticsSettings
from services.analytics.trace_search import DURATION_BOUNDS
from tests.fixtures.otlp_samples import pair
from tests.integration.services.analytics.conftest import NOW, Analytics

SECOND = 10**9
HOUR = 3600 * SECOND
# Times around which slices and buckets begin, so that traces lie across their edges.
EDGES = [NOW - seconds * SECOND for seconds in (59, 60, 61, 299, 300, 301, 960, 1200, 1500, 5100, 7200)]


@dataclass
class Sent:
    trace_id: bytes
    span_id: bytes
    parent: bytes
    service: str
    name: str
    start: int
    duration: int
    status: int


@dataclass
class Shop:
    """What was sent, as a list; and the same in the store."""

    analytics: Analytics
    spans: list[Sent] = field(default_factory=list)


def random_spans(seed: int = 5, traces: int = 120) -> list[Sent]:
    chance = random.Random(seed)
    spans: list[Sent] = []
    for number in range(traces):
        trace_id = (number * 7919 % 65536).to_bytes(16, "big")
        around = chance.choice(EDGES) if chance.random() < 0.6 else NOW - chance.randrange(3 * HOUR)
        spread = chance.choice((0, SECOND, 90 * SECOND, HOUR))
        ids = [bytes([number, index, 1, 1, 1, 1, 1, 1]) for index in range(chance.randint(1, 5))]
        missing = chance.random() < 0.3
        for index, span_id in enumerate(ids):
            parent = chance.choice(ids[:index]) if index else (b"\xee" * 8 if missing else b"")
            spans.append(
                Sent(
                    trace_id, span_id, parent, chance.choice(("front", "cart", "결제")), chance.choice(("GET /", "pay", "조회")),
                    around + chance.randint(-spread, spread) if spread else around, chance.randrange(5 * SECOND), chance.choice((0, 0, 1, 2)),
                )
            )  # fmt: skip
    return spans


def request_of(spans: list[Sent]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for span in spans:
        resourced = request.resource_spans.add()
        resourced.resource.attributes.append(pair("service.name", AnyValue(string_value=span.service)))
        entry = resourced.scope_spans.add().spans.add(
            trace_id=span.trace_id, span_id=span.span_id, parent_span_id=span.parent, name=span.name, kind=2,
            start_time_unix_nano=span.start, end_time_unix_nano=span.start + span.duration,
        )  # fmt: skip
        entry.status.code = span.status
    return request


@pytest.fixture
async def shop(analytics: Analytics) -> AsyncIterator[Shop]:
    spans = random_spans()
    for start in range(0, len(spans), 50):
        await analytics.store(request_of(spans[start : start + 50]), first_offset=start)
    return Shop(analytics, spans)


QUERIES = {
    "": lambda span: True,
    "service=cart": lambda span: span.service == "cart",
    "service=결제 status=error": lambda span: span.service == "결제" and span.status == 2,
    "pay": lambda span: span.name == "pay",
    "duration>=2.5s NOT service=front": lambda span: span.duration >= 2_500_000_000 and span.service != "front",
    "name=nothing": lambda span: False,
}


def plain_search(spans: list[Sent], matches: Any, start: int, end: int) -> list[dict[str, Any]]:
    """Every summary the search owes, in order."""
    matching: dict[bytes, list[Sent]] = defaultdict(list)
    members: dict[bytes, list[Sent]] = defaultdict(list)
    for span in spans:
        members[span.trace_id].append(span)
        if start <= span.start < end and matches(span):
            matching[span.trace_id].append(span)
    order = sorted(
        matching, key=lambda trace_id: (min(span.start for span in matching[trace_id]), trace_id), reverse=True
    )
    return [summary(members[trace_id], len(matching[trace_id])) for trace_id in order]


def summary(spans: list[Sent], matched: int) -> dict[str, Any]:
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent not in ids]
    root = min(roots, key=lambda span: (span.parent != b"", span.start, span.span_id))
    first = min(span.start for span in spans)
    shares: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for span in spans:
        shares[span.service][0] += 1
        shares[span.service][1] += span.status == 2
    errors = sum(span.status == 2 for span in spans)
    return {
        "trace_id": spans[0].trace_id.hex(),
        "root_service": root.service,
        "root_name": root.name,
        "start_time_unix_nano": str(first),
        "duration_nano": str(max(span.start + span.duration for span in spans) - first),
        "span_count": len(spans),
        "error_count": errors,
        "services": [
            {"service": service, "span_count": count, "error_count": failed}
            for service, (count, failed) in sorted(shares.items(), key=lambda entry: (-entry[1][0], entry[0]))
        ],
        "status": "ERROR" if errors else "OK" if any(span.status == 1 for span in spans) else "UNSET",
        "matched_spans": matched,
    }


@pytest.mark.timeout(600)
@given(
    query=st.sampled_from(sorted(QUERIES)),
    start=st.one_of(st.sampled_from(EDGES), st.integers(NOW - 4 * HOUR, NOW - 1)),
    length=st.one_of(st.sampled_from([HOUR, 4 * HOUR]), st.integers(1, 4 * HOUR)),
    limit=st.sampled_from([1, 2, 3, 7, 20, 200]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_are_the_plain_list_cut_up(shop: Shop, query: str, start: int, length: int, limit: int) -> None:
    owed = plain_search(shop.spans, QUERIES[query], start, start + length)
    if limit < 7:
        owed = owed[: 4 * limit]
    found: list[Any] = []
    cursor = None
    while len(found) < len(owed) or not found:
        answer = await shop.analytics.ask(
            "/api/v1/traces", query=query, from_=str(start), to=str(start + length), limit=limit, cursor=cursor
        )
        TraceList.model_validate(answer)
        assert len(answer["traces"]) <= limit
        found += answer["traces"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        assert len(answer["traces"]) == limit
    assert found[: len(owed)] == owed
    if limit >= 7:
        assert cursor is None
        assert len(found) == len(owed)


async def test_a_cursor_holds_while_data_arrives(shop: Shop) -> None:
    parameters = {"from_": str(NOW - 4 * HOUR), "to": str(NOW + HOUR), "limit": 10}
    first = await shop.analytics.ask("/api/v1/traces", **parameters)
    newer = Sent(b"\xff" * 16, b"\x09" * 8, b"", "late", "GET /", NOW + 5, 1, 0)
    await shop.analytics.store(request_of([newer]), first_offset=10_000)
    second = await shop.analytics.ask("/api/v1/traces", cursor=first["next_cursor"], **parameters)
    owed = [entry["trace_id"] for entry in plain_search(shop.spans, QUERIES[""], NOW - 4 * HOUR, NOW + HOUR)]
    assert [entry["trace_id"] for entry in first["traces"] + second["traces"]] == owed[:20]


@pytest.mark.parametrize("analytics_settings", [AnalyticsSettings(search_budget_seconds=6)])
async def test_a_search_out_of_time_gives_a_cursor_to_go_on_from(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds a second gone."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(shop.analytics.clock, "monotonic", lambda: float(next(ticks)))
    found: list[str] = []
    cursor, pages = None, 0
    while pages < 40:
        answer = await shop.analytics.ask(
            "/api/v1/traces",
            query="status=error",
            from_=str(NOW - 4 * HOUR),
            to=str(NOW + HOUR),
            limit=200,
            cursor=cursor,
        )
        pages += 1
        found += [entry["trace_id"] for entry in answer["traces"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    owed = plain_search(shop.spans, lambda span: span.status == 2, NOW - 4 * HOUR, NOW + HOUR)
    assert found == [entry["trace_id"] for entry in owed]
    assert pages > 2


@pytest.mark.parametrize("query", ["", "service=cart status=error"])
async def test_the_heat_map_counts_every_matching_span_once(shop: Shop, query: str) -> None:
    start, end = NOW - 2 * HOUR - 12_345, NOW - 7 * SECOND
    answer = await shop.analytics.ask("/api/v1/traces/durations", query=query, from_=str(start), to=str(end))
    DurationHeatMap.model_validate(answer)
    step = answer["step_seconds"] * SECOND
    times = [int(time) for time in answer["time_unix_nano"]]
    assert times == list(range(start // step * step, end, step))
    assert 30 <= len(times) <= 62
    bounds = [int(bound) for bound in answer["duration_bounds_nano"]]
    counts = [[0] * len(times) for _ in bounds]
    errors = [[0] * len(times) for _ in bounds]
    for span in shop.spans:
        fits = not query or (span.service == "cart" and span.status == 2)
        if start <= span.start < end and fits:
            bound = max(bound for bound in DURATION_BOUNDS if bound <= span.duration)
            row, column = bounds.index(bound), (span.start - times[0]) // step
            counts[row][column] += 1
            errors[row][column] += span.status == 2
    assert answer["counts"] == counts
    assert answer["error_counts"] == errors
    assert sum(map(sum, counts)) > 5


async def test_a_trace_that_is_not_there(analytics: Analytics) -> None:
    response = await analytics.get(f"/api/v1/traces/{'0' * 32}")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:airis:error:trace-not-found"


@pytest.mark.parametrize("analytics_settings", [AnalyticsSettings(max_trace_spans=3)])
async def test_a_trace_of_too_many_spans_says_so(analytics: Analytics) -> None:
    spans = [Sent(b"\x01" * 16, bytes([index] * 8), b"", "a", "b", NOW + index, 1, 0) for index in range(5)]
    await analytics.store(request_of(spans))
    answer = await analytics.ask(f"/api/v1/traces/{'01' * 16}")
    assert answer["truncated"] is True
    assert [span["span_id"] for span in answer["spans"]] == ["00" * 8, "01" * 8, "02" * 8]


async def test_spans_filed_under_their_arrival_are_part_of_their_trace(analytics: Analytics) -> None:
    """A clock that stands at 1970 files a span a whole trace away from its siblings (docs/decisions/0007)."""
    spans = [Sent(b"\x02" * 16, b"\x01" * 8, b"", "a", "x", NOW - 20 * 24 * HOUR, SECOND, 0)]
    spans.append(Sent(b"\x02" * 16, b"\x02" * 8, b"\x01" * 8, "a", "x", 5, 7, 0))
    await analytics.store(request_of(spans))
    answer = await analytics.ask(f"/api/v1/traces/{'02' * 16}")
    assert [span["start_time_unix_nano"] for span in answer["spans"]] == ["5", str(NOW - 20 * 24 * HOUR)]
    listed = await analytics.ask("/api/v1/traces", from_=str(NOW - HOUR), to=str(NOW + HOUR))
    assert [(trace["trace_id"], trace["span_count"]) for trace in listed["traces"]] == [("02" * 16, 2)]
