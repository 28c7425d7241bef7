"""The official OpenTelemetry SDK as a sender: what it exports, over both protocols, is on the bus."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.ingestion.otlp import LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE
from tests.contract.ingestion.conftest import Receiver

RESOURCE = Resource({"service.name": "checkout"})
MakeExporter = Callable[..., Any]


def exporter(make: MakeExporter, receiver: Receiver, path: str) -> Any:
    if make in {GrpcSpanExporter, GrpcLogExporter, GrpcMetricExporter}:
        headers = (("authorization", f"Bearer {receiver.keys.ingest}"),)
        return make(endpoint=f"127.0.0.1:{receiver.grpc_port}", insecure=True, headers=headers, timeout=10)
    headers_http = {"Authorization": f"Bearer {receiver.keys.ingest}"}
    return make(endpoint=receiver.url + path, headers=headers_http, timeout=10, compression=Compression.Gzip)


@pytest.mark.parametrize("make", [HttpSpanExporter, GrpcSpanExporter])
async def test_spans(receiver: Receiver, make: MakeExporter) -> None:
    def send() -> bool:
        provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter(make, receiver, "/v1/traces")))
        tracer = provider.get_tracer("test")
        for number in range(100):
            with tracer.start_as_current_span(f"parent {number}"), tracer.start_as_current_span("child") as span:
                span.set_attribute("number", number)
        flushed = provider.force_flush()
        provider.shutdown()
        return flushed

    assert await asyncio.to_thread(send)
    requests = [TRACE_SERVICE.request.FromString(record.value) for record in receiver.records()]
    spans = [
        span
        for request in requests
        for resource in request.resource_spans  # type: ignore[attr-defined]
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert len(spans) == 200
    assert {span.attributes[0].value.int_value for span in spans if span.name == "child"} == set(range(100))


@pytest.mark.parametrize("make", [HttpLogExporter, GrpcLogExporter])
async def test_logs(receiver: Receiver, make: MakeExporter) -> None:
    def send() -> None:
        provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter(make, receiver, "/v1/logs")))
        provider.get_logger("test").emit(body="the cart is empty", attributes={"cart": 7})
        provider.force_flush()
        provider.shutdown()

    await asyncio.to_thread(send)
    (record,) = receiver.records(LOGS_SERVICE)
    request: Any = LOGS_SERVICE.request.FromString(record.value)
    assert request.resource_logs[0].scope_logs[0].log_records[0].body.string_value == "the cart is empty"


@pytest.mark.parametrize("make", [HttpMetricExporter, GrpcMetricExporter])
async def test_metrics(receiver: Receiver, make: MakeExporter) -> None:
    def send() -> None:
        reader = PeriodicExportingMetricReader(
            exporter(make, receiver, "/v1/metrics"), export_interval_millis=3_600_000
        )
        provider = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
        provider.get_meter("test").create_counter("orders").add(3, {"country": "kr"})
        provider.get_meter("test").create_histogram("latency").record(0.2)
        provider.force_flush()
        provider.shutdown()

    await asyncio.to_thread(send)
    request: Any = METRICS_SERVICE.request.FromString(receiver.records(METRICS_SERVICE)[0].value)
    names = {metric.name for scope in request.resource_metrics[0].scope_metrics for metric in scope.metrics}
    assert names >= {"orders", "latency"}
    assert all(record.value for record in receiver.records(METRICS_SERVICE))
