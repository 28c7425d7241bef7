"""Whatever was sent comes back, every field of it: random messages through the store and the API."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.schemas import LogList, MetricPoints, Trace
from tests.fixtures import otlp_samples as samples
from tests.integration.services.analytics.conftest import NOW, Analytics

DAY = 86400 * 10**9
EVERYTHING = {"from_": str(NOW - 31 * DAY), "to": str(NOW + DAY // 2)}
_examples = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.timeout(600)
@given(request=samples.TRACE_REQUESTS)
@_examples
async def test_spans(analytics: Analytics, request: Any) -> None:
    trace_id = uuid.uuid4().bytes
    for resourced in request.resource_spans:
        for scoped in resourced.scope_spans:
            for span in scoped.spans:
                span.trace_id = trace_id
    await analytics.store(request)
    answer = await analytics.ask(f"/api/v1/traces/{trace_id.hex().upper()}")
    assert samples.canonical(answer["spans"]) == samples.canonical(samples.spans_json(request))
    assert answer["trace_id"] == trace_id.hex()
    assert answer["truncated"] is False
    Trace.model_validate(answer)


@pytest.mark.timeout(600)
@given(request=samples.LOG_REQUESTS)
@_examples
async def test_log_records(analytics: Analytics, request: Any) -> None:
    tenant = uuid.uuid4().hex
    await analytics.store(request, tenant=tenant)
    answer = await analytics.ask("/api/v1/logs", tenant=tenant, **EVERYTHING)
    assert samples.canonical(answer["logs"]) == samples.canonical(samples.logs_json(request))
    LogList.model_validate(answer)


@pytest.mark.timeout(600)
@given(request=samples.METRIC_REQUESTS, name=st.sampled_from(["m", "process/cpu.time", "지표"]))
@_examples
async def test_data_points(analytics: Analytics, request: Any, name: str) -> None:
    tenant = uuid.uuid4().hex
    for resourced in request.resource_metrics:
        for scoped in resourced.scope_metrics:
            for metric in scoped.metrics:
                metric.name = name
    await analytics.store(request, tenant=tenant)
    answer = await analytics.ask(f"/api/v1/metrics/{name}", tenant=tenant, **EVERYTHING)
    # Points of one series come together; take them apart to compare.
    given_back = [{**series, "points": [point]} for series in answer["series"] for point in series["points"]]
    assert samples.canonical(given_back) == samples.canonical(samples.points_json(request))
    MetricPoints.model_validate(answer)
