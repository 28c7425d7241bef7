"""The request messages of OTLP, as upb knows them."""

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.bus.protocol import Record
from services.ingestion.signals import LOGS, METRICS, TRACES, Signal

REQUESTS: dict[str, type[Message]] = {
    TRACES.name: ExportTraceServiceRequest,
    LOGS.name: ExportLogsServiceRequest,
    METRICS.name: ExportMetricsServiceRequest,
}


def normalised(signal: Signal, record: Record) -> Record | None:
    """The record with its payload written anew without unknown fields; None when it cannot be read or would not change.

    The store's protobuf reader is stricter than upb about fields of wire types it does not expect.
    """
    try:
        message = REQUESTS[signal.name].FromString(record.value)
    except DecodeError:
        return None
    message.DiscardUnknownFields()
    value = message.SerializeToString()
    if value == record.value:
        return None
    return Record(record.topic, record.partition, record.offset, record.key, value, record.headers, record.timestamp_ms)
