"""The shop on a virtual clock, with its telemetry in memory."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Self

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import Metric, MetricExporter, MetricExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demo.kernel import NANOS
from demo.simulation import Simulation
from demo.telemetry import Pipeline

# A Tuesday at 14:00 UTC, where traffic is near its mean.
START_NS = 1_700_575_200 * NANOS


class NoMetricExporter(MetricExporter):
    """Metrics are collected by the test itself."""

    def export(self, metrics_data, timeout_millis=10_000, **_):
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **_):
        pass


class Shop:
    """`run` it, then look at `spans`, `logs` and `metrics`."""

    def __init__(self, *, rate: float = 5.0, seed: str = "test", start_ns: int = START_NS) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        pipeline = Pipeline(SimpleSpanProcessor(self._spans), SimpleLogRecordProcessor(self._logs), NoMetricExporter())
        self.simulation = Simulation(pipeline, start_ns=start_ns, rate=rate, seed=seed)

    def run(self, seconds: float, *faults: str) -> "Shop":
        self.simulation.set_faults(faults)
        self.simulation.advance(self.simulation.now_ns + round(seconds * NANOS))
        return self

    def finish(self) -> "Shop":
        """Let what is in progress end by itself, so that all traces are whole."""
        self.simulation.stop_arrivals()
        return self.run(30)

    def close(self) -> None:
        self.simulation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()

    @property
    def logs(self) -> tuple[ReadableLogRecord, ...]:
        return self._logs.get_finished_logs()

    def metrics(self) -> list[tuple[str, Metric]]:
        """(service, metric) pairs as of now."""
        return [
            (resource.resource.attributes["service.name"], metric)
            for resource in self.simulation.collect().resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]


def by_trace(spans: Iterable[ReadableSpan]) -> dict[int, list[ReadableSpan]]:
    traces = defaultdict(list)
    for span in spans:
        traces[span.context.trace_id].append(span)
    return traces


def service(span: ReadableSpan) -> str:
    return span.resource.attributes["service.name"]


def seconds(span: ReadableSpan) -> float:
    return (span.end_time - span.start_time) / NANOS


def parents(spans: Iterable[ReadableSpan]) -> list[tuple[ReadableSpan, ReadableSpan]]:
    """(parent, child) pairs."""
    spans = list(spans)
    by_id = {span.context.span_id: span for span in spans}
    return [(by_id[span.parent.span_id], span) for span in spans if span.parent is not None]
