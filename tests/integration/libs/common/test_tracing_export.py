"""Our own spans over OTLP/HTTP."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common import tracing
from libs.common.settings import ServiceSettings, TelemetrySettings
from libs.common.testing import free_port
from libs.common.web.server import serve


@asynccontextmanager
async def _collector(received: list[ExportTraceServiceRequest]) -> AsyncIterator[str]:
    app = FastAPI()

    @app.post("/v1/traces")
    async def traces(request: Request) -> None:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        received.append(ExportTraceServiceRequest.FromString(body))

    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(app, "127.0.0.1", 0, stop, listening=listening))
    try:
        yield f"http://127.0.0.1:{await listening}"
    finally:
        stop.set()
        await server


async def test_spans_are_exported_when_the_role_ends_at_the_latest() -> None:
    received: list[ExportTraceServiceRequest] = []
    async with _collector(received) as endpoint:
        settings = TelemetrySettings(otlp_endpoint=endpoint)
        async with tracing.traced(settings, ServiceSettings(environment="test"), "analytics"):
            with tracing.span("work", attributes={"n": 1}):
                pass
    (resource_spans,) = received[0].resource_spans
    resource = {item.key: item.value.string_value for item in resource_spans.resource.attributes}
    assert resource["service.name"] == "analytics"
    assert resource["deployment.environment.name"] == "test"
    assert [span.name for span in resource_spans.scope_spans[0].spans] == ["work"]


async def test_a_collector_that_is_away_delays_a_stop_by_its_timeout_at_most() -> None:
    settings = TelemetrySettings(otlp_endpoint=f"http://127.0.0.1:{free_port()}", export_timeout_seconds=1)
    started = time.monotonic()
    async with tracing.traced(settings, ServiceSettings(), "analytics"):
        with tracing.span("work"):
            pass
    assert time.monotonic() - started < 4
