"""OTLP's three export services: where each is reached and in what messages it speaks.

Source: OTLP 1.x, opentelemetry.io/docs/specs/otlp, and opentelemetry-proto's collector/*/v1 services.
"""

from dataclasses import dataclass

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from services.ingestion.signals import LOGS, METRICS, TRACES, Signal


@dataclass(frozen=True, slots=True)
class ExportService:
    """One service. `records` is what its records are called in messages, `rejected_field` counts them in a partial success.

    `record_path` are the field numbers from the request down to one record. A metric's records are its data points, which
    lie under one of several fields.
    """

    signal: Signal
    path: str
    method: str
    request: type[Message]
    response: type[Message]
    records: str
    rejected_field: str
    record_path: tuple[frozenset[int], ...]


def _path(*numbers: int | tuple[int, ...]) -> tuple[frozenset[int], ...]:
    return tuple(frozenset(step if isinstance(step, tuple) else (step,)) for step in numbers)


TRACE_SERVICE = ExportService(
    TRACES,
    "/v1/traces",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    "spans",
    "rejected_spans",
    _path(1, 2, 2),
)
LOGS_SERVICE = ExportService(
    LOGS,
    "/v1/logs",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    "log records",
    "rejected_log_records",
    _path(1, 2, 2),
)
METRICS_SERVICE = ExportService(
    METRICS,
    "/v1/metrics",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    "data points",
    "rejected_data_points",
    _path(1, 2, 2, (5, 7, 9, 10, 11), 1),
)
EXPORT_SERVICES = (TRACE_SERVICE, LOGS_SERVICE, METRICS_SERVICE)
