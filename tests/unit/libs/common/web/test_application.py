"""What every service's application does around its routes."""

import asyncio

import pytest
from fastapi import APIRouter, FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse, StreamingResponse

from libs.common.errors import RateLimited, StoreUnavailable
from libs.common.metrics import sample_value
from libs.common.testing import FakeClock, recorded_logs, recorded_spans
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
COUNT = "airis_http_requests_total"


class World:
    """One application and what it leaves behind."""

    def __init__(self) -> None:
        self.clock, self.registry = FakeClock(), CollectorRegistry()
        self.readiness = Readiness(self.clock)
        self.app = FastAPI()
        install_web_defaults(
            self.app, service="test", registry=self.registry, readiness=self.readiness, clock=self.clock
        )
        inner = APIRouter()

        @inner.get("/traces/{trace_id}")
        async def trace(trace_id: str) -> str:
            self.clock.move(0.2)
            return trace_id

        @inner.get("/limited")
        async def limited() -> None:
            raise RateLimited("Slow down.", retry_after=2.1)

        @inner.get("/crash")
        async def crash() -> None:
            raise RuntimeError("hunter2")

        @inner.get("/half")
        async def half() -> StreamingResponse:
            async def parts():
                yield b"first"
                raise RuntimeError("lost")

            return StreamingResponse(parts())

        outer = APIRouter(prefix="/v2")
        outer.include_router(inner)
        self.app.include_router(outer, prefix="/api")
        self.app.mount("/mounted", PlainTextResponse("mounted"))

        @self.app.post("/v1/traces")
        async def export() -> str:
            return "ok"

    def client(self, **options) -> AsyncClient:
        return AsyncClient(transport=ASGITransport(self.app, **options), base_url="http://test")

    def count(self, **labels) -> float:
        return sample_value(self.registry, COUNT, service="test", **labels)


@pytest.fixture
def world() -> World:
    return World()


async def test_requests_are_counted_by_their_full_template(world: World) -> None:
    async with world.client() as client:
        for trace_id in ("a", "b"):
            assert (await client.get(f"/api/v2/traces/{trace_id}")).json() == trace_id
        await client.get("/mounted/file.js")
        await client.get("/random/path")
        await client.request("BREW", "/api/v2/limited")
    assert world.count(method="GET", route="/api/v2/traces/{trace_id}", status=200) == 2
    assert world.count(method="GET", route="mounted", status=200) == 1
    assert world.count(method="GET", route="unmatched", status=404) == 1
    assert world.count(method="OTHER", route="/api/v2/limited", status=405) == 1
    labels = {"service": "test", "method": "GET", "route": "/api/v2/traces/{trace_id}", "status": "200"}
    assert sample_value(world.registry, "airis_http_request_duration_seconds_sum", **labels) == pytest.approx(0.4)


async def test_errors_are_counted_by_id(world: World) -> None:
    async with world.client() as client:
        response = await client.get("/api/v2/limited")
        await client.get("/api/v2/crash")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "3"
    assert sample_value(world.registry, "airis_http_errors_total", service="test", error="rate-limited") == 1
    assert sample_value(world.registry, "airis_http_errors_total", service="test", error="internal") == 1


@pytest.mark.parametrize("presented", ["abc-123", "a" * 128])
async def test_a_well_formed_request_id_is_kept(world: World, presented: str) -> None:
    async with world.client() as client:
        response = await client.get("/livez", headers={"X-Request-Id": presented})
    assert response.headers["x-request-id"] == presented


@pytest.mark.parametrize("presented", ["", "a b", "a" * 129, 'x"}{', "<script>"])
async def test_another_request_id_is_replaced(world: World, presented: str) -> None:
    async with world.client() as client:
        response = await client.get("/livez", headers={"X-Request-Id": presented})
    assert len(response.headers["x-request-id"]) == 32


async def test_each_request_is_one_line_without_its_query(world: World) -> None:
    with recorded_logs() as logs:
        async with world.client() as client:
            await client.get("/api/v2/traces/a?query=secret", headers={"X-Request-Id": "r1"})
            await client.get("/livez")
            await client.get("/readyz")
            await client.get("/metrics")
    (line,) = logs.events("request")
    assert line["route"] == "/api/v2/traces/{trace_id}"
    assert line["request_id"] == "r1"
    assert line["service"] == "test"
    assert line["status"] == 200
    assert line["duration_ms"] == 200.0
    assert line["bytes"] == 3
    assert "secret" not in logs.text


async def test_a_crash_is_logged_with_its_trace_and_answered_without(world: World) -> None:
    with recorded_logs() as logs:
        async with world.client() as client:
            response = await client.get("/api/v2/crash")
    assert response.status_code == 500
    assert response.headers["x-request-id"] == logs.events("request failed")[0]["request_id"]
    assert "RuntimeError: hunter2" in logs.events("request failed")[0]["exception"]
    assert "hunter2" not in response.text


async def test_a_crash_in_the_middle_of_a_response_breaks_the_connection(world: World) -> None:
    with recorded_logs() as logs:
        async with world.client() as client:
            with pytest.raises(RuntimeError, match="lost"):
                await client.get("/api/v2/half")
    assert logs.events("request failed")
    assert world.count(method="GET", route="/api/v2/half", status=200) == 1


async def test_a_request_cancelled_by_the_end_of_a_drain_is_booked_as_such(world: World) -> None:
    entered = asyncio.Event()

    @world.app.get("/slow")
    async def slow() -> None:
        entered.set()
        await asyncio.Event().wait()

    async with world.client() as client:
        request = asyncio.create_task(client.get("/slow"))
        await entered.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert world.count(method="GET", route="/slow", status=503) == 1
    assert sample_value(world.registry, "airis_http_errors_total", service="test", error="shutting-down") == 1


async def test_a_request_continues_its_callers_trace(world: World) -> None:
    async with recorded_spans() as spans, world.client() as client:
        with recorded_logs() as logs:
            await client.get("/api/v2/traces/a", headers={"traceparent": TRACEPARENT})
        await client.get("/api/v2/limited")
        await client.get("/api/v2/crash")
    first, limited, crash = spans
    assert first.name == "GET /api/v2/traces/{trace_id}"
    assert f"{first.context.trace_id:032x}" == TRACEPARENT.split("-")[1] == logs.events("request")[0]["trace_id"]
    assert f"{first.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert first.attributes["http.response.status_code"] == 200
    assert limited.attributes["error.type"] == "rate-limited"
    assert limited.status.status_code.name == "UNSET"  # a 4xx is the caller's
    assert crash.status.status_code.name == "ERROR"


@pytest.mark.parametrize("path", ["/v1/traces", "/livez", "/readyz", "/metrics"])
async def test_the_write_path_and_probes_are_not_traced(world: World, path: str) -> None:
    async with recorded_spans() as spans, world.client() as client:
        response = await client.request("POST" if path == "/v1/traces" else "GET", path)
    assert response.status_code == 200
    assert spans == []


async def test_readyz_turns_503_with_the_named_reason(world: World) -> None:
    async def away() -> None:
        raise StoreUnavailable("The store cannot be reached.")

    async with world.client() as client:
        assert (await client.get("/readyz")).status_code == 200
        world.readiness.add("clickhouse", away)
        response = await client.get("/readyz")
        assert (await client.get("/livez")).json() == {"status": "live"}
    assert response.status_code == 503
    assert response.json()["checks"]["clickhouse"]["detail"] == "The store cannot be reached."


async def test_metrics_are_in_the_exposition_format(world: World) -> None:
    async with world.client() as client:
        await client.get("/livez")
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'airis_http_requests_total{method="GET",route="/livez",service="test",status="200"} 1.0' in response.text


async def test_strangers_are_told_the_status_and_operators_the_rest() -> None:
    async def away() -> None:
        raise StoreUnavailable("The store cannot be reached.")

    app, readiness, registry = FastAPI(), Readiness(FakeClock()), CollectorRegistry()
    install_web_defaults(app, service="test", registry=registry, readiness=readiness, clock=FakeClock(), public=True)
    readiness.add("clickhouse", away)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as stranger:
        ready = await stranger.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "not_ready"})
        assert (await stranger.get("/livez")).json() == {"status": "live"}
        assert (await stranger.get("/metrics")).status_code == 404
    async with AsyncClient(transport=ASGITransport(app.state.operations), base_url="http://test") as inside:
        assert (await inside.get("/readyz")).json()["checks"]["clickhouse"]["detail"] == "The store cannot be reached."
        assert "airis_http_requests_total" in (await inside.get("/metrics")).text
        assert (await inside.get("/livez")).json() == {"status": "live"}
