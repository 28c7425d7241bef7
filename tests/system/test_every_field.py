"""Whatever OTLP can say is read back through the gateway as it was sent, over every protocol."""

import asyncio
import base64
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fixtures import otlp_samples as samples
from tests.fixtures.installation import Installation

DAY = 86_400 * 10**9
PATHS = {
    ExportTraceServiceRequest: ("/v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ExportLogsServiceRequest: ("/v1/logs", "opentelemetry.proto.collector.logs.v1.LogsService/Export"),
    ExportMetricsServiceRequest: ("/v1/metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
}
CASES = settings(
    max_examples=25, deadline=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)  # fmt: skip
PROTOCOLS = st.sampled_from(["protobuf", "json", "grpc"])


def otlp_json(message: Message) -> Any:
    """OTLP/JSON: proto3 JSON but for ids in hex and enums as numbers (opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding)."""

    def fix(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(inner).hex() if key in {"traceId", "spanId", "parentSpanId"} else fix(inner)
                for key, inner in value.items()
            }
        return [fix(item) for item in value] if isinstance(value, list) else value

    return fix(MessageToDict(message, use_integers_for_enums=True))


def send(installation: Installation, request: Message, protocol: str) -> None:
    path, method = PATHS[type(request)]
    if protocol == "grpc":
        with grpc.insecure_channel(installation.layout.otlp_grpc) as channel:
            call = channel.unary_unary(f"/{method}", request_serializer=None, response_deserializer=None)
            metadata = [("authorization", installation.authorization["Authorization"])]
            answer = call(request.SerializeToString(), metadata=metadata, timeout=15)
    else:
        media_type = "application/json" if protocol == "json" else "application/x-protobuf"
        content = {"json": otlp_json(request)} if protocol == "json" else {"content": request.SerializeToString()}
        headers = {**installation.authorization, "Content-Type": media_type}
        response = httpx.post(f"{installation.layout.otlp_http_url}{path}", headers=headers, timeout=15, **content)
        assert response.status_code == 200, response.text
        answer = response.content
    assert b"reject" not in answer, answer


async def eventually(question: Callable[[], Awaitable[list[Any]]], count: int) -> list[Any]:
    """Its answer, asked until there are `count` records."""
    async with asyncio.timeout(20):
        while len(found := await question()) < count:
            await asyncio.sleep(0.1)
    return found


def in_service(resources: Any, service: str) -> None:
    """Give each resource this service's name."""
    for resourced in resources:
        attributes = [pair for pair in resourced.resource.attributes if pair.key != "service.name"]
        del resourced.resource.attributes[:]
        resourced.resource.attributes.extend(attributes)
        resourced.resource.attributes.add(key="service.name").value.string_value = service


def everything() -> dict[str, str]:
    """A range with all records: those with an odd time are filed under the time of receipt."""
    now = time.time_ns()
    return {"from": str(now - 31 * DAY), "to": str(now + DAY // 2)}


@pytest.mark.timeout(300)
@CASES
@given(request_=samples.TRACE_REQUESTS, protocol=PROTOCOLS)
def test_spans(installation: Installation, request_: ExportTraceServiceRequest, protocol: str) -> None:
    # Drawn ids repeat between cases, and the engine keeps them all.
    trace_id = uuid.uuid4().bytes
    for resourced in request_.resource_spans:
        for scoped in resourced.scope_spans:
            for span in scoped.spans:
                span.trace_id, span.span_id = trace_id, os.urandom(8)
    send(installation, request_, protocol)

    async def spans() -> list[Any]:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            answer = await client.get(
                f"{installation.layout.gateway_url}/api/v1/traces/{trace_id.hex()}", headers=installation.authorization
            )
        return answer.json()["spans"] if answer.status_code == 200 else []

    owed = samples.spans_json(request_)
    assert samples.canonical(asyncio.run(eventually(spans, len(owed)))) == samples.canonical(owed)


@pytest.mark.timeout(300)
@CASES
@given(request_=samples.LOG_REQUESTS, protocol=PROTOCOLS)
def test_log_records(installation: Installation, request_: ExportLogsServiceRequest, protocol: str) -> None:
    service = uuid.uuid4().hex
    in_service(request_.resource_logs, service)
    send(installation, request_, protocol)

    async def records() -> list[Any]:
        found: list[Any] = (await installation.api("/logs", query=f"service={service}", **everything()))["logs"]
        return found

    owed = samples.logs_json(request_)
    assert samples.canonical(asyncio.run(eventually(records, len(owed)))) == samples.canonical(owed)


@pytest.mark.timeout(300)
@CASES
@given(request_=samples.METRIC_REQUESTS, protocol=PROTOCOLS)
def test_data_points(installation: Installation, request_: ExportMetricsServiceRequest, protocol: str) -> None:
    name = f"every/field {uuid.uuid4().hex} %2F"
    for resourced in request_.resource_metrics:
        for scoped in resourced.scope_metrics:
            for metric in scoped.metrics:
                metric.name = name
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    if metric.WhichOneof("data") in {"gauge", "sum"} and point.WhichOneof("value") is None:
                        point.flags |= 1  # NO_RECORDED_VALUE; without it OTLP calls the point invalid
    send(installation, request_, protocol)

    async def points() -> list[Any]:
        answer = await installation.api(f"/metrics/{quote(name, safe='')}", **everything())
        return [{**series, "points": [point]} for series in answer["series"] for point in series["points"]]

    owed = samples.points_json(request_)
    assert samples.canonical(asyncio.run(eventually(points, len(owed)))) == samples.canonical(owed)
    listed = asyncio.run(installation.api("/metrics", query=name, **everything()))["metrics"]
    about = ("type", "unit", "description", "temporality", "monotonic")
    # The catalogue's description is any of those sent.
    assert {tuple(metric[key] for key in about if key != "description") for metric in listed} == {
        tuple(series[key] for key in about if key != "description") for series in owed
    }
