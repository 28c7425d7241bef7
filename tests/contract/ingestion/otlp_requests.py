"""Requests a well-behaved sender makes, now."""

import time
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def traces(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    """Valid spans but for the given fields; one span when none is given."""
    now = time.time_ns()
    valid = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "start_time_unix_nano": now - 1000, "end_time_unix_nano": now}
    return ExportTraceServiceRequest(
        resource_spans=[
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"string_value": "shop"}}]},
                "scope_spans": [{"spans": [valid | span for span in spans or ({"name": "GET /"},)]}],
            }
        ]
    )


def logs(*records: dict[str, Any]) -> ExportLogsServiceRequest:
    """Log records of now."""
    now = {"time_unix_nano": time.time_ns()}
    return ExportLogsServiceRequest(
        resource_logs=[{"scope_logs": [{"log_records": [now | record for record in records or ({},)]}]}]
    )


def gauge(*points: dict[str, Any]) -> ExportMetricsServiceRequest:
    """Points of one gauge, of now."""
    now = {"time_unix_nano": time.time_ns()}
    data = {"data_points": [now | point for point in points or ({"as_int": 1},)]}
    return ExportMetricsServiceRequest(
        resource_metrics=[{"scope_metrics": [{"metrics": [{"name": "requests", "gauge": data}]}]}]
    )
