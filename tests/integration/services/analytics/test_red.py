"""Rates, errors and durations: exact for any range, whatever part of it comes from rollups."""

import random
import statistics
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.schemas import OperationList, ServiceDetail, ServiceList
from tests.integration.services.analytics.conftest import NOW, Analytics
from tests.integration.services.analytics.test_trace_search import Sent, request_of

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
SERVICES = ("cart", "team/결제", "")


def requests_of_days(seed: int = 9, count: int = 4000) -> list[Sent]:
    """Root spans over five days, many at the very edges of minutes and hours."""
    chance = random.Random(seed)
    spans = []
    for number in range(count):
        start = NOW - chance.randrange(5 * DAY)
        if chance.random() < 0.5:
            unit = chance.choice((MINUTE, HOUR))
            start = start // unit * unit - chance.choice((0, 1))
        child = chance.random() < 0.2
        spans.append(
            Sent(
                number.to_bytes(16, "big"), number.to_bytes(8, "big"), b"\x07" * 8 if child else b"", chance.choice(SERVICES),
                chance.choice(("GET /", "pay")), start, chance.randrange(1, 10**9), chance.choice((0, 1, 2)),
            )
        )  # fmt: skip
    return spans


@pytest.fixture
async def sent(analytics: Analytics) -> list[Sent]:
    spans = requests_of_days()
    for start in range(0, len(spans), 500):
        request = request_of(spans[start : start + 500])
        for resourced in request.resource_spans:
            for span in resourced.scope_spans[0].spans:
                span.kind = 3 if span.parent_span_id else 2  # clients are no entries
        await analytics.store(request, first_offset=start)
    return spans


def inside(spans: list[Sent], start: int, end: int, service: str) -> list[Sent]:
    return [span for span in spans if start <= span.start < end and span.service == service]


def check_numbers(numbers: dict[str, Any], spans: list[Sent], seconds: float) -> None:
    assert numbers["request_count"] == len(spans)
    assert numbers["error_count"] == sum(span.status == 2 for span in spans)
    assert numbers["request_rate"] == pytest.approx(len(spans) / seconds)
    assert numbers["error_rate"] == pytest.approx(numbers["error_count"] / len(spans) if spans else 0)
    if len(spans) > 20:
        cuts = statistics.quantiles([span.duration for span in spans], n=100, method="inclusive")
        for name, owed in (("p50_nano", cuts[49]), ("p95_nano", cuts[94]), ("p99_nano", cuts[98])):
            assert int(numbers[name]) == pytest.approx(owed, rel=0.1)
    if not spans:
        assert numbers["p50_nano"] is numbers["p95_nano"] is numbers["p99_nano"] is None


_edges = st.sampled_from([0, 1, -1, MINUTE // 2])
_places = st.builds(
    lambda days, unit, edge: (NOW - days) // unit * unit + edge,
    st.integers(0, 5 * DAY),
    st.sampled_from([1, MINUTE, HOUR]),
    _edges,
)


@pytest.mark.timeout(600)
@given(
    start=_places, length=st.sampled_from([1, MINUTE - 1, 2 * MINUTE + 7, HOUR, 5 * HOUR + 3, 25 * HOUR + 11, 3 * DAY])
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_services_of_any_range(analytics: Analytics, sent: list[Sent], start: int, length: int) -> None:
    end = start + length
    answer = await analytics.ask("/api/v1/services", from_=str(start), to=str(end))
    ServiceList.model_validate(answer)
    step = answer["step_seconds"] * SECOND
    assert len(range(start // step * step, end, step)) <= 61
    listed = {entry["service"]: entry for entry in answer["services"]}
    for service in SERVICES:
        everything = inside(sent, start, end, service)
        spans = [span for span in everything if not span.parent]
        if not everything:
            # Known from the rollup by minute, which cannot tell when in its minute a span was.
            assert listed.get(service, {"request_count": 0})["request_count"] == 0
            continue
        entry = listed[service]
        check_numbers(entry, spans, length / SECOND)
        times = [int(time) for time in entry["series"]["time_unix_nano"]]
        assert times == list(range(start // step * step, end, step))
        counts = [sum(time <= span.start < time + step for span in spans) for time in times]
        errors = [sum(time <= span.start < time + step and span.status == 2 for span in spans) for time in times]
        assert entry["series"]["request_count"] == counts
        assert entry["series"]["error_count"] == errors
        assert [value is None for value in entry["series"]["p95_nano"]] == [count == 0 for count in counts]


async def test_one_service_and_its_operations(analytics: Analytics, sent: list[Sent]) -> None:
    start, end = NOW - 2 * DAY + 5, NOW - 77 * SECOND
    period = {"from_": str(start), "to": str(end)}
    detail = await analytics.ask("/api/v1/services/team%2F결제", **period)
    ServiceDetail.model_validate(detail)
    spans = inside(sent, start, end, "team/결제")
    check_numbers(detail, [span for span in spans if not span.parent], (end - start) / SECOND)
    assert sum(detail["series"]["request_count"]) == detail["request_count"]
    operations = await analytics.ask("/api/v1/services/team/결제/operations", **period)
    OperationList.model_validate(operations)
    for entry in operations["operations"]:
        kind = entry["kind"] == "CLIENT"
        check_numbers(
            entry,
            [span for span in spans if span.name == entry["operation"] and bool(span.parent) == kind],
            (end - start) / SECOND,
        )
    counts = [entry["request_count"] for entry in operations["operations"]]
    assert sum(counts) == len(spans)
    assert counts == sorted(counts, reverse=True)


async def test_a_service_that_sent_nothing_has_zeros(analytics: Analytics) -> None:
    answer = await analytics.ask("/api/v1/services/nobody")
    check_numbers(answer, [], 3600)
    assert set(answer["series"]["request_count"]) == {0}


async def test_the_rollup_by_hour_says_what_the_one_by_minute_says(analytics: Analytics, sent: list[Sent]) -> None:
    rows = await analytics.clickhouse.query(
        "SELECT 'h' AS rollup, sum(request_count) AS n, sum(error_count) AS e, round(sum(duration_sum_nano)) AS d FROM red_1h "
        "UNION ALL SELECT 'm', sum(request_count), sum(error_count), round(sum(duration_sum_nano)) FROM red_1m"
    )
    hour, minute = sorted(rows, key=lambda row: row["rollup"])
    assert (hour["n"], hour["e"], hour["d"]) == (minute["n"], minute["e"], minute["d"])
    assert hour["n"] == len(sent)
