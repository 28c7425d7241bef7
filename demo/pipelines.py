"""How telemetry leaves: the SDK's OTLP exporters behind one processor per signal, shared by all instances."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from demo.settings import DemoSettings
from demo.telemetry import Pipeline

# Four minutes of default traffic: enough for a receiver's restart, and still only some megabytes.
_QUEUE = 4096
_BATCH = 512
_DELAY_MILLIS = 1000  # the SDK's 5 s would show in the UI as a shop that hesitates
_BACKFILL_BATCH = 2_000
_BACKFILL_ATTEMPTS = 6  # each with the SDK's own retries within


class ReceiverUnavailable(Exception):
    """The receiver did not take a batch, however often it was offered."""


@dataclass(frozen=True, slots=True)
class Exporters:
    """One exporter per signal, to one receiver."""

    spans: SpanExporter
    logs: LogRecordExporter
    metrics: MetricExporter

    def shutdown(self) -> None:
        """Take nothing more; an export that waits for its next attempt gives up at once."""
        self.spans.shutdown()
        self.logs.shutdown()  # type: ignore[no-untyped-call]  # the SDK forgot the annotation
        self.metrics.shutdown()


def open_exporters(settings: DemoSettings) -> Exporters:
    """OTLP to `settings.endpoint`. Connects when first used."""
    key = settings.api_key.get_secret_value()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    timeout = settings.export_timeout_seconds
    if settings.otlp_protocol == "grpc":
        return _grpc(settings.endpoint, headers, timeout)
    session = requests.Session()
    session.trust_env = False  # a proxy in the environment is not meant for a receiver next door
    common: dict[str, Any] = {
        "headers": headers,
        "timeout": timeout,
        "compression": Compression.Gzip,
        "session": session,
    }
    return Exporters(
        OTLPSpanExporter(endpoint=f"{settings.endpoint}/v1/traces", **common),
        OTLPLogExporter(endpoint=f"{settings.endpoint}/v1/logs", **common),
        OTLPMetricExporter(endpoint=f"{settings.endpoint}/v1/metrics", **common),
    )


def _grpc(endpoint: str, headers: dict[str, str], timeout: float) -> Exporters:
    # Imported only here: gRPC costs ten megabytes that the default does not need.
    from opentelemetry.exporter.otlp.proto.grpc import _log_exporter, metric_exporter, trace_exporter  # noqa: PLC0415

    metadata = tuple(headers.items())
    return Exporters(
        trace_exporter.OTLPSpanExporter(endpoint=endpoint, headers=metadata, timeout=timeout),
        _log_exporter.OTLPLogExporter(endpoint=endpoint, headers=metadata, timeout=timeout),
        metric_exporter.OTLPMetricExporter(endpoint=endpoint, headers=metadata, timeout=timeout),
    )


def live_pipeline(exporters: Exporters) -> Pipeline:
    """Batches in the background, with bounded queues that drop when the receiver is away for long."""
    return Pipeline(
        BatchSpanProcessor(
            exporters.spans,
            max_queue_size=_QUEUE,
            schedule_delay_millis=_DELAY_MILLIS,
            max_export_batch_size=_BATCH,
        ),
        BatchLogRecordProcessor(
            exporters.logs,
            max_queue_size=_QUEUE,
            schedule_delay_millis=_DELAY_MILLIS,
            max_export_batch_size=_BATCH,
        ),
        exporters.metrics,
    )


class BackfillPipeline:
    """Batches exported by the thread that fills them: history waits for the receiver, it is never dropped.

    Raises ReceiverUnavailable out of whatever ended a span or wrote a log.
    """

    def __init__(self, exporters: Exporters) -> None:
        self._exporters = exporters
        self.spans = 0
        self.log_records = 0
        self._forgetting = False
        self._span_batch: list[ReadableSpan] = []
        self._log_batch: list[ReadableLogRecord] = []
        self.pipeline = Pipeline(_Spans(self), _Logs(self), exporters.metrics)

    def add_span(self, span: ReadableSpan) -> None:
        if self._forgetting:
            return
        self.spans += 1
        self._span_batch.append(span)
        if len(self._span_batch) >= _BACKFILL_BATCH:
            self._flush_spans()

    def add_log(self, record: ReadableLogRecord) -> None:
        if self._forgetting:
            return
        self.log_records += 1
        self._log_batch.append(record)
        if len(self._log_batch) >= _BACKFILL_BATCH:
            self._flush_logs()

    def add_metrics(self, data: MetricsData) -> None:
        _export("metrics", lambda: self._exporters.metrics.export(data) is MetricExportResult.SUCCESS)

    def flush(self) -> None:
        self._flush_spans()
        self._flush_logs()

    def forget(self) -> None:
        """Drop what has not been sent, and whatever still comes."""
        self._forgetting = True
        self._span_batch.clear()
        self._log_batch.clear()

    def _flush_spans(self) -> None:
        batch, self._span_batch = self._span_batch, []
        if batch:
            _export("traces", lambda: self._exporters.spans.export(batch) is SpanExportResult.SUCCESS)

    def _flush_logs(self) -> None:
        batch: Sequence[ReadableLogRecord]
        batch, self._log_batch = self._log_batch, []
        if batch:
            _export("logs", lambda: self._exporters.logs.export(batch) is LogRecordExportResult.SUCCESS)


class _Spans(SpanProcessor):
    def __init__(self, pipeline: BackfillPipeline) -> None:
        self._pipeline = pipeline

    def on_end(self, span: ReadableSpan) -> None:
        self._pipeline.add_span(span)


class _Logs(LogRecordProcessor):
    def __init__(self, pipeline: BackfillPipeline) -> None:
        self._pipeline = pipeline

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._pipeline.add_log(
            ReadableLogRecord(
                log_record.log_record,
                log_record.resource or Resource.get_empty(),
                log_record.instrumentation_scope,
                log_record.limits,
            )
        )

    def shutdown(self) -> None:
        self._pipeline.flush()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        self._pipeline.flush()
        return True


def _export(signal: str, export: Callable[[], bool]) -> None:
    for attempt in range(_BACKFILL_ATTEMPTS):
        if attempt:
            time.sleep(1.0)
        if export():
            return
    raise ReceiverUnavailable(f"the receiver does not take {signal}; is it running, and is the API key right?")
