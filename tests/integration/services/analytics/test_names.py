"""Whatever the store accepts as a name has a URL that opens it: through the gateway's and the service's real applications."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from asgi_lifespan import LifespanManager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from libs.common.clickhouse import ClickHouse
from libs.common.settings import IdentitySettings, RedisSettings
from libs.common.testing import FakeClock
from services.analytics.app import create_app
from services.analytics.settings import AnalyticsSettings, Settings
from tests.fixtures.gateway import IDENTITY_SECRET, bearer, gateway_on_fakes
from tests.fixtures.telemetry import create_schema, store

NOW = 1_700_000_000_000_000_000
KNOWN = (
    "bug/slash", "결제 서비스", "bug%2Fenc", "bug?q=1", "bug#frag", "bug+plus", "CORP\\svc", ".", "..", "a/../b", "a//b", ";",
    'quote"', "new\nline", "nul\x00", "tab\t", " lead", "trail ", "😀", "x", "x/operations", "operations", "", "cafe\u0301",
    "\\Processor(_Total)\\% Processor Time", "/", "//", "%", "%2F", "\x7f", "a\r\n", "*",
)  # fmt: skip
NAMES = st.text(
    st.one_of(st.sampled_from(list("ab/.\\%?#&+ \n\t\x00=~")), st.characters(exclude_categories=("Cs",))), max_size=12
)


@dataclass
class Product:
    client: httpx.AsyncClient
    clickhouse: ClickHouse

    async def ask(self, path: str, **parameters: str) -> Any:
        response = await self.client.get(path, params=parameters)
        assert response.status_code == 200, (path, parameters, response.text)
        return response.json()


@pytest.fixture
async def product(clickhouse: ClickHouse, redis_settings: RedisSettings) -> AsyncIterator[Product]:
    await create_schema(clickhouse)
    app = create_app(
        Settings(
            identity=IdentitySettings(secret=SecretStr(IDENTITY_SECRET)),
            analytics=AnalyticsSettings(),
            clickhouse=clickhouse.settings,
            redis=redis_settings,
        ),
        clock=FakeClock(NOW),
    )
    async with (
        LifespanManager(app) as analytics,
        gateway_on_fakes(upstreams={"analytics": analytics.app}) as gateway,
    ):
        gateway.script.headers.update(bearer(await gateway.add_key("t1")))
        yield Product(gateway.script, clickhouse)


def _spans(names: list[str]) -> ExportTraceServiceRequest:
    """One span of a service that is called so, with an operation of its own."""
    request = ExportTraceServiceRequest()
    for index, name in enumerate(names):
        resource = request.resource_spans.add()
        if name:
            resource.resource.attributes.add(key="service.name").value.string_value = name
        resource.scope_spans.add().spans.add(
            trace_id=index.to_bytes(16, "big"), span_id=b"\1" * 8, name=f"of {name}", kind=2,
            start_time_unix_nano=NOW - 10**9, end_time_unix_nano=NOW,
        )  # fmt: skip
    return request


def _points(names: list[str]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for name in names:
        metrics.add(name=name).gauge.data_points.add(time_unix_nano=NOW - 10**9, as_int=1)
    return request


async def _check(product: Product, names: list[str]) -> None:
    period = {"from": str(NOW - 60 * 10**9), "to": str(NOW)}
    for name in names:
        asked = [product.ask("/api/v1/service", name=name, **period)]
        listed = [product.ask("/api/v1/service/operations", name=name, **period)]
        points = [product.ask("/api/v1/metric", name=name, **period)]
        if name not in {".", ".."}:  # which a client resolves before it sends them
            segment = quote(name, safe="")
            asked.append(product.ask(f"/api/v1/services/{segment}", **period))
            listed.append(product.ask(f"/api/v1/services/{segment}/operations", **period))
            points.append(product.ask(f"/api/v1/metrics/{segment}", **period))
        for answer in asked:
            detail = await answer
            assert (detail["service"], detail["request_count"]) == (name, 1)
        for answer in listed:
            assert [entry["operation"] for entry in (await answer)["operations"]] == [f"of {name}"]
        for answer in points:
            metric = await answer
            assert (metric["name"], len(metric["series"])) == (name, 1)


@pytest.mark.timeout(300)
async def test_names_that_others_have_sent(product: Product) -> None:
    names = list(KNOWN)
    await store(product.clickhouse, [_spans(names)], received_at=NOW)
    await store(product.clickhouse, [_points(names)], received_at=NOW)
    await _check(product, names)


@pytest.mark.timeout(300)
@given(names=st.lists(NAMES, min_size=6, max_size=10, unique=True))
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_any_name(product: Product, names: list[str]) -> None:
    for table in ("spans", "trace_index", "red_1m", "red_1h", "resources", "metric_points", "metric_catalogue"):
        await product.clickhouse.command(f"TRUNCATE TABLE {table}")
    await store(product.clickhouse, [_spans(names)], received_at=NOW)
    await store(product.clickhouse, [_points(names)], received_at=NOW)
    await _check(product, names)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/services/%2E%2E",
        "/api/v1/services/%2e/operations",
        "/api/v1/services/..%5C..",
        "/api/v1/metrics/a/%2e%2e/b",
    ],
)
async def test_a_path_that_somebody_may_resolve_is_refused_or_a_name(product: Product, path: str) -> None:
    response = await product.client.get(path)
    if "%5C" in path:  # a backslash is no separator of URLs
        assert (response.status_code, response.json()["service"]) == (200, "..\\..")
    else:
        assert (response.status_code, response.json()["type"]) == (400, "urn:airis:error:invalid-request")
        assert "?name=" in response.json()["detail"]
