"""What the browser tests look for, sent the way programs send it."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

SERVICE = "browser-shop"
MILLISECOND = 1_000_000


@dataclass(frozen=True)
class OneTrace:
    """`log` is the body of the record that was written inside the failed span."""

    trace_id: str
    failed_span_id: str
    log: str


def send_one_trace(endpoint: str, api_key: str, service: str = SERVICE) -> OneTrace:
    """POST /checkout with a failed charge inside it, and a log record of that failure, by the official SDK."""
    headers = {"Authorization": f"Bearer {api_key}"}
    resource = Resource({"service.name": service, "host.name": "web-1"})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers)))
    logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs", headers=headers)))
    tracer, logger = spans.get_tracer("shop", "1.2.3"), logs.get_logger("shop")
    body = f"card declined for order {os.urandom(4).hex()}"
    with (
        tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as root,
        suppress(ConnectionError),
        tracer.start_as_current_span("charge card", attributes={"card.kind": "visa"}) as failed,
    ):
        logger.emit(body=body, attributes={"attempt": 3}, severity_number=SeverityNumber.ERROR, severity_text="ERROR")
        raise ConnectionError("the bank hung up")
    spans.shutdown()
    logs.shutdown()
    return OneTrace(f"{root.get_span_context().trace_id:032x}", f"{failed.get_span_context().span_id:016x}", body)


def send_big_trace(endpoint: str, api_key: str, count: int) -> str:
    """A trace of `count` spans, three children to each, named "step 0" to "step <count - 1>". Returns its id."""
    trace_id, ids = os.urandom(16), [os.urandom(8) for _ in range(count)]
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    name = resource_spans.resource.attributes.add(key="service.name")
    name.value.string_value = "browser-big"
    spans = resource_spans.scope_spans.add().spans
    end = time.time_ns()
    start = end - count * MILLISECOND
    for number in range(count):
        span = spans.add(trace_id=trace_id, span_id=ids[number], name=f"step {number}", kind=2)
        span.start_time_unix_nano = start + number * MILLISECOND
        span.end_time_unix_nano = end if number == 0 else start + (number + 1) * MILLISECOND
        if number:
            span.parent_span_id = ids[(number - 1) // 3]
        span.attributes.add(key="number").value.int_value = number
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/x-protobuf"}
    with httpx.Client(timeout=60, trust_env=False) as client:
        client.post(f"{endpoint}/v1/traces", content=request.SerializeToString(), headers=headers).raise_for_status()
    return trace_id.hex()


def send_names(endpoint: str, api_key: str, names: Sequence[str]) -> None:
    """For each name a service that is called so, with an operation and a gauge of that name."""
    traces, metrics = ExportTraceServiceRequest(), ExportMetricsServiceRequest()
    now = time.time_ns()
    for name in names:
        resource_spans = traces.resource_spans.add()
        resource_spans.resource.attributes.add(key="service.name").value.string_value = name
        span = resource_spans.scope_spans.add().spans.add(
            name=name, kind=2, trace_id=os.urandom(16), span_id=os.urandom(8)
        )
        span.start_time_unix_nano, span.end_time_unix_nano = now - MILLISECOND, now
        resource_metrics = metrics.resource_metrics.add()
        resource_metrics.resource.attributes.add(key="service.name").value.string_value = name
        metric = resource_metrics.scope_metrics.add().metrics.add(name=name, unit="1")
        metric.gauge.data_points.add(time_unix_nano=now, as_int=42)
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/x-protobuf"}
    with httpx.Client(timeout=60, trust_env=False, headers=headers) as client:
        client.post(f"{endpoint}/v1/traces", content=traces.SerializeToString()).raise_for_status()
        client.post(f"{endpoint}/v1/metrics", content=metrics.SerializeToString()).raise_for_status()
