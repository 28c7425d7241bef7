"""Seconds from the SDK's exporter to trace search through the gateway."""

import argparse
import random
import threading
import time
from pathlib import Path
from uuid import uuid4

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from benchmarks.engines import product
from benchmarks.report import Report, percentile, tidy
from benchmarks.sender import Load, Sent, send

_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.1


def measure_fresh(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """Idle, then beside a steady load."""
    rows = []
    with product(folder / "product") as run:
        rows.append(_row("idle", _sample(run, options.samples)))
        sent: list[Sent] = []
        load = Load(
            run["otlp_http"].removeprefix("http://"), 100, 8, options.samples * 4.0, 5.0, (),
            f"Bearer {run['api_key']}", rate=options.rate,
        )  # fmt: skip
        beside = threading.Thread(target=lambda: sent.append(send(load, None)))
        beside.start()
        time.sleep(10)
        samples: list[float] = []
        while beside.is_alive() and len(samples) < options.samples:
            samples += _sample(run, 1)
        beside.join()
        rows.append(_row(f"beside {sent[0].accepted * load.spans / sent[0].seconds:.0f} spans/s", samples))
    report.add(
        "Seconds until a span of the Python SDK is found by trace search",
        rows,
        "OTLP/HTTP, exported one by one at random moments; search asked every 0.1 s. Target: median of 3 s at most.",
    )


def _row(name: str, seconds: list[float]) -> dict[str, object]:
    return {
        "load": name,
        "samples": len(seconds),
        "p50": tidy(percentile(seconds, 0.5)),
        "p90": tidy(percentile(seconds, 0.9)),
        "p99": tidy(percentile(seconds, 0.99)),
        "slowest": tidy(max(seconds)),
    }


def _sample(run: dict[str, str], count: int) -> list[float]:
    service = f"fresh-{uuid4().hex[:8]}"
    authorization = {"Authorization": f"Bearer {run['api_key']}"}
    exporter = OTLPSpanExporter(f"{run['otlp_http']}/v1/traces", headers=authorization)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("fresh")
    found = []
    with httpx.Client(base_url=run["gateway"], headers=authorization, timeout=30) as client:
        for _ in range(count):
            time.sleep(random.random())
            started = time.monotonic()
            with tracer.start_as_current_span("fresh span") as span:
                pass  # exported, and answered, when it ends
            _until_found(client, service, f"{span.get_span_context().trace_id:032x}")
            found.append(time.monotonic() - started)
    provider.shutdown()
    return found


def _until_found(client: httpx.Client, service: str, trace_id: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = client.get("/api/v1/traces", params={"query": f"service={service}", "limit": 5})
        answer.raise_for_status()
        if any(trace["trace_id"] == trace_id for trace in answer.json()["traces"]):
            return
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"trace {trace_id} is not found after {_PATIENCE_SECONDS} s")
