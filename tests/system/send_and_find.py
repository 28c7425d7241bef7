"""Send a span, a log record and a metric by the official SDK, over HTTP and over gRPC, and wait until search returns each.

python -m tests.system.send_and_find --run-file .airis/run.json
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.1


def resource_of(service: str) -> Resource:
    return Resource.create({"service.name": service})


def send(exporter: SpanExporter, service: str) -> str:
    """Export one span and return its trace id in hex."""
    provider = TracerProvider(resource=resource_of(service), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("send-and-find").start_as_current_span("first span") as span:
        span.set_attribute("answer", 42)
    provider.shutdown()
    return f"{span.get_span_context().trace_id:032x}"


def send_log(exporter: LogRecordExporter, service: str) -> None:
    """Export one record."""
    provider = LoggerProvider(resource=resource_of(service), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("send-and-find").emit(
        timestamp=time.time_ns(), severity_number=SeverityNumber.WARN, body="first record", attributes={"answer": 42}
    )
    provider.shutdown()


def send_metric(exporter: MetricExporter, service: str) -> None:
    """Export one point of the counter `smoke.answers`."""
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter)], resource=resource_of(service), shutdown_on_exit=False
    )
    provider.get_meter("send-and-find").create_counter("smoke.answers").add(42, {"answer": 42})
    provider.shutdown()


def eventually(question: Callable[[], bool], what: str) -> float:
    """Seconds until the answer is yes; raises TimeoutError."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE_SECONDS:
        if question():
            return time.monotonic() - started
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{what} is not in search after {PATIENCE_SECONDS} s")


@dataclass(frozen=True)
class Api:
    """The gateway, as a script uses it."""

    gateway: str
    api_key: str

    def get(self, path: str, **params: str) -> Any:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = httpx.get(f"{self.gateway}/api/v1{path}", params=params, headers=headers, timeout=10)
        return answer.raise_for_status().json()

    def has_trace(self, service: str, trace_id: str) -> bool:
        found = self.get("/traces", query=f"service={service}")["traces"]
        if not any(trace["trace_id"] == trace_id for trace in found):
            return False
        trace = self.get(f"/traces/{trace_id}")
        assert trace["spans"][0]["attributes"]["answer"] == 42, trace
        return True

    def has_log(self, service: str) -> bool:
        found = self.get("/logs", query=f"service={service}")["logs"]
        if found:
            assert (found[0]["body"], found[0]["attributes"]["answer"]) == ("first record", 42), found
        return bool(found)

    def has_metric(self, service: str) -> bool:
        listed = self.get("/metrics", service=service)["metrics"]
        if not any(metric["name"] == "smoke.answers" for metric in listed):
            return False
        series = self.get("/metrics/smoke.answers", service=service)["series"]
        assert series[0]["attributes"]["answer"] == 42, series
        return True


def find(gateway: str, api_key: str, service: str, trace_id: str) -> float:
    """Seconds until search by service returns the trace; raises TimeoutError."""
    api = Api(gateway, api_key)
    return eventually(lambda: api.has_trace(service, trace_id), f"trace {trace_id} of {service}")


def send_and_find(api: Api, spans: SpanExporter, logs: LogRecordExporter, metrics: MetricExporter) -> dict[str, float]:
    """Seconds from export to answer, by signal."""
    service = f"smoke-{uuid4().hex[:8]}"
    trace_id = send(spans, service)
    seconds = {"span": eventually(lambda: api.has_trace(service, trace_id), f"trace {trace_id} of {service}")}
    send_log(logs, service)
    seconds["log record"] = eventually(lambda: api.has_log(service), f"log record of {service}")
    send_metric(metrics, service)
    seconds["metric point"] = eventually(lambda: api.has_metric(service), f"metric of {service}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-file", type=Path)
    for name in ("--gateway", "--otlp-http", "--otlp-grpc", "--api-key"):
        parser.add_argument(name)
    options = parser.parse_args()
    if options.run_file:
        run = json.loads(options.run_file.read_text())
        options.gateway, options.otlp_http = run["gateway"], run["otlp_http"]
        options.otlp_grpc, options.api_key = run["otlp_grpc"], run["api_key"]
    api, headers = Api(options.gateway, options.api_key), {"authorization": f"Bearer {options.api_key}"}
    http, grpc = options.otlp_http, {"endpoint": options.otlp_grpc, "insecure": True, "headers": headers}
    exporters: dict[str, tuple[SpanExporter, LogRecordExporter, MetricExporter]] = {
        "OTLP/HTTP": (
            HttpSpanExporter(f"{http}/v1/traces", headers=headers),
            HttpLogExporter(f"{http}/v1/logs", headers=headers),
            HttpMetricExporter(f"{http}/v1/metrics", headers=headers),
        ),
        "OTLP/gRPC": (GrpcSpanExporter(**grpc), GrpcLogExporter(**grpc), GrpcMetricExporter(**grpc)),
    }
    for protocol, three in exporters.items():
        for signal, seconds in send_and_find(api, *three).items():
            sys.stdout.write(f"{protocol}: {signal} found {seconds:.2f} s after export\n")


if __name__ == "__main__":
    main()
