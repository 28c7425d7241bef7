"""The catalogue, and pages of points."""

import itertools
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from services.analytics.schemas import MetricList, MetricPoints
from tests.fixtures.otlp_samples import pair
from tests.integration.services.analytics.conftest import NOW, Analytics

HOUR = 3600 * 10**9
RANGE = {"from_": str(NOW - HOUR), "to": str(NOW)}


def sums(
    points: list[tuple[str, str, int, int]], name: str = "requests", unit: str = "1"
) -> ExportMetricsServiceRequest:
    """Points of (service, route, time, value)."""
    request = ExportMetricsServiceRequest()
    for service, route, time, value in points:
        resourced = request.resource_metrics.add()
        resourced.resource.attributes.append(pair("service.name", AnyValue(string_value=service)))
        metric = resourced.scope_metrics.add().metrics.add(name=name, unit=unit, description=f"about {name}")
        metric.sum.aggregation_temporality = 2
        metric.sum.is_monotonic = True
        point = metric.sum.data_points.add(time_unix_nano=time, as_int=value)
        point.attributes.append(pair("http.route", AnyValue(string_value=route)))
        point.attributes.append(pair("code", AnyValue(int_value=value)))
    return request


_POINTS = st.lists(
    st.tuples(
        st.sampled_from(["cart", "결제"]),
        st.sampled_from(["/a", "/b"]),
        st.integers(NOW - 4, NOW - 1),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.timeout(600)
@given(batches=st.lists(_POINTS, min_size=1, max_size=3), limit=st.integers(1, 5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_point_once_series_by_series(analytics: Analytics, batches: list[Any], limit: int) -> None:
    tenant = uuid.uuid4().hex
    for offset, points in enumerate(batches):
        await analytics.store(sums(points), tenant=tenant, first_offset=offset)
    found: list[tuple[str, str, int, int]] = []
    order: list[tuple[Any, ...]] = []
    cursor = None
    while True:
        answer = await analytics.ask("/api/v1/metrics/requests", tenant=tenant, limit=limit, cursor=cursor, **RANGE)
        MetricPoints.model_validate(answer)
        page = [(series, point) for series in answer["series"] for point in series["points"]]
        found += [
            (s["service"], s["attributes"]["http.route"], int(p["time_unix_nano"]), int(p["as_int"])) for s, p in page
        ]
        order += [(s["service"], repr(s["attributes"]), int(p["time_unix_nano"])) for s, p in page]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        assert len(page) == limit
    assert Counter(found) == Counter(point for points in batches for point in points)
    services = [service for service, _, _ in order]
    assert services == sorted(services, key=str.encode)
    for before, after in itertools.pairwise(order):
        assert before[:2] != after[:2] or before[2] <= after[2]


async def test_the_catalogue_lists_metrics_of_the_range(analytics: Analytics) -> None:
    await analytics.store(sums([("cart", "/a", NOW - 1, 1), ("front", "/b", NOW - 1, 1)], "http.requests", "{request}"))
    await analytics.store(sums([("cart", "/a", NOW - 1, 1)], "지표.Size", "By"), first_offset=1)
    await analytics.store(sums([("cart", "/a", NOW - 49 * HOUR, 1)], "old.requests", "By"), first_offset=2)
    everything = await analytics.ask("/api/v1/metrics", **RANGE)
    MetricList.model_validate(everything)
    assert everything["metrics"] == [
        {
            "name": "http.requests",
            "type": "sum",
            "unit": "{request}",
            "description": "about http.requests",
            "temporality": "CUMULATIVE",
            "monotonic": True,
            "attributes": ["code", "http.route"],
            "services": ["cart", "front"],
        },
        {
            "name": "지표.Size",
            "type": "sum",
            "unit": "By",
            "description": "about 지표.Size",
            "temporality": "CUMULATIVE",
            "monotonic": True,
            "attributes": ["code", "http.route"],
            "services": ["cart"],
        },
    ]

    async def names(**parameters: Any) -> list[str]:
        return [metric["name"] for metric in (await analytics.ask("/api/v1/metrics", **parameters))["metrics"]]

    assert await names(query="SIZE", **RANGE) == ["지표.Size"]
    assert await names(service="front", **RANGE) == ["http.requests"]
    assert await names(service="front", query="size", **RANGE) == []
    assert "old.requests" in await names(from_=str(NOW - 60 * HOUR), to=str(NOW))


async def test_points_are_filtered_by_service_and_query(analytics: Analytics) -> None:
    points = [("cart", "/a", NOW - 2, 200), ("cart", "/b", NOW - 2, 500), ("front", "/a", NOW - 2, 200)]
    await analytics.store(sums(points))

    async def found(**parameters: Any) -> list[tuple[str, str]]:
        answer = await analytics.ask("/api/v1/metrics/requests", **parameters, **RANGE)
        return sorted((series["service"], series["attributes"]["http.route"]) for series in answer["series"])

    assert await found(service="cart") == [("cart", "/a"), ("cart", "/b")]
    assert await found(query="code>=500") == [("cart", "/b")]
    assert await found(query="http.route=/a", service="front") == [("front", "/a")]
    assert await found(query="resource.service.name=front OR code=500") == [("cart", "/b"), ("front", "/a")]
    assert await found(service="") == []


async def test_a_metric_nobody_sent_has_no_series(analytics: Analytics) -> None:
    answer = await analytics.ask("/api/v1/metrics/nowhere", **RANGE)
    assert answer == {
        "name": "nowhere",
        "type": None,
        "unit": None,
        "description": None,
        "temporality": None,
        "monotonic": None,
        "series": [],
        "next_cursor": None,
    }


async def test_one_name_with_two_units_is_two_series(analytics: Analytics) -> None:
    for offset, unit in enumerate(("s", "ms")):
        await analytics.store(sums([("cart", "/a", NOW - 2, 1)], unit=unit), first_offset=offset)
    answer = await analytics.ask("/api/v1/metrics/requests", **RANGE)
    assert sorted(series["unit"] for series in answer["series"]) == ["ms", "s"]
    assert len((await analytics.ask("/api/v1/metrics", **RANGE))["metrics"]) == 2
