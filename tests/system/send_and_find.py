"""Send one span by the official SDK over HTTP and one over gRPC, and wait until trace search returns both.

python -m tests.system.send_and_find --run-file .airis/run.json
"""

import argparse
import json
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter


def send(exporter: SpanExporter, service: str) -> str:
    """Export one span and return its trace id in hex."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("send-and-find").start_as_current_span("first span") as span:
        span.set_attribute("answer", 42)
    provider.shutdown()
    return f"{span.get_span_context().trace_id:032x}"


def find(gateway: str, api_key: str, service: str, trace_id: str, patience_seconds: float = 30.0) -> float:
    """Seconds until search by service returns the trace; raises TimeoutError."""
    started = time.monotonic()
    with httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=10) as client:
        while time.monotonic() - started < patience_seconds:
            answer = client.get("/api/v1/traces", params={"query": f"service={service}"})
            answer.raise_for_status()
            if any(trace["trace_id"] == trace_id for trace in answer.json()["traces"]):
                trace = client.get(f"/api/v1/traces/{trace_id}").raise_for_status().json()
                assert trace["spans"][0]["attributes"]["answer"] == 42, trace
                return time.monotonic() - started
            time.sleep(0.1)
    raise TimeoutError(f"trace {trace_id} of {service} is not in trace search after {patience_seconds} s")


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
    authorization = f"Bearer {options.api_key}"
    exporters: dict[str, SpanExporter] = {
        "OTLP/HTTP": HttpExporter(f"{options.otlp_http}/v1/traces", headers={"Authorization": authorization}),
        "OTLP/gRPC": GrpcExporter(options.otlp_grpc, insecure=True, headers={"authorization": authorization}),
    }
    for protocol, exporter in exporters.items():
        service = f"smoke-{uuid4().hex[:8]}"
        seconds = find(options.gateway, options.api_key, service, send(exporter, service))
        sys.stdout.write(f"{protocol}: span found {seconds:.2f} s after export\n")


if __name__ == "__main__":
    main()
