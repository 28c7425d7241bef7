"""What the receiver's look at ids, times and attribute counts costs beside the bare parse (ADR 0006). CPU time, one process.

`python -m benchmarks.bench_validation`
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.ingestion.otlp import TRACE_SERVICE
from services.ingestion.receivers.validation import Limits, validate

SPANS = 512
RUNS = 300


def request(now: int) -> bytes:
    """One request of SPANS ordinary spans: eight attributes each, strings and ints."""
    some = random.Random(1)
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    for key in ("service.name", "service.version", "host.name", "k8s.pod.name"):
        resource_spans.resource.attributes.add(key=key).value.string_value = "checkout-1"
    spans = resource_spans.scope_spans.add().spans
    for _ in range(SPANS):
        span = spans.add(trace_id=some.randbytes(16), span_id=some.randbytes(8), parent_span_id=some.randbytes(8))
        span.name, span.kind = "POST /checkout", 2
        span.start_time_unix_nano, span.end_time_unix_nano = now - 10**9, now
        for index in range(8):
            value = span.attributes.add(key=f"attribute.number.{index}").value
            if index % 3 == 0:
                value.int_value = index * 100
            else:
                value.string_value = f"value of attribute {index}"
    return message.SerializeToString()


def median_seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(RUNS):
        start = time.process_time_ns()
        work()
        taken.append(time.process_time_ns() - start)
    return statistics.median(taken) / 1e9


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    now = time.time_ns()
    body, limits = request(now), Limits()
    parse = median_seconds(lambda: ExportTraceServiceRequest.FromString(body))
    whole = median_seconds(lambda: validate(TRACE_SERVICE, body, limits, now))
    print(f"{SPANS} spans, {len(body)} bytes, median of {RUNS} runs")
    for name, seconds in (("FromString", parse), ("validate()", whole), ("the look", whole - parse)):
        print(f"{name:12} {seconds * 1e3:.3f} ms a request, {seconds / SPANS * 1e6:.2f} µs a span")


if __name__ == "__main__":
    main()
