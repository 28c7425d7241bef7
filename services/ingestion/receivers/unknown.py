"""What of a protobuf request no field is known for: said to the sender, and a sign of a request at the wrong address."""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from services.ingestion import wire
from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService

_MOST_BYTES = 4 * 1024**2  # a parse may need up to 90 times a body's size
_LEGACY_SCOPES = 1000  # where ResourceSpans and its kin had instrumentation_library_spans
# From a request by way of resources and scopes to its records.
_WAYS: dict[str, tuple[str, str, str]] = {
    TRACE_SERVICE.signal.name: ("resource_spans", "scope_spans", "spans"),
    LOGS_SERVICE.signal.name: ("resource_logs", "scope_logs", "log_records"),
    METRICS_SERVICE.signal.name: ("resource_metrics", "scope_metrics", "metrics"),
}
_LIKELY: dict[str, Callable[[Any], bool]] = {
    TRACE_SERVICE.signal.name: lambda span: len(span.trace_id) == 16 and len(span.span_id) == 8,
    LOGS_SERVICE.signal.name: lambda record: bool(record.time_unix_nano or record.observed_time_unix_nano),
    METRICS_SERVICE.signal.name: lambda metric: bool(metric.name and metric.WhichOneof("data")),
}


def unknown_members(service: ExportService, request: Any) -> str:
    """A remark on fields of the request itself that the service does not know; "" when there are none."""
    unknown: Any = UnknownFieldSet(request)
    numbers = sorted({found.field_number for found in unknown})
    if not numbers:
        return ""
    return f"{service.request.DESCRIPTOR.name} has no field {', '.join(map(str, numbers))}; it was not taken."


def legacy_records(service: ExportService, request: Any) -> int:
    """Records below instrumentation libraries, which OTLP had before it had scopes."""
    records = 0
    for resource in getattr(request, _WAYS[service.signal.name][0]):
        unknown: Any = UnknownFieldSet(resource)
        for found in unknown:
            if found.field_number == _LEGACY_SCOPES and isinstance(found.data, bytes):
                records += wire.count(found.data, service.record_path[2:])
    return records


def has_unknown_records(service: ExportService, request: Any) -> bool:
    """Whether some record has fields that the service does not know."""
    return any(UnknownFieldSet(record) for record in _records(service, request))


def refuse_anothers(service: ExportService, body: bytes) -> None:
    """Raises MalformedTelemetry when the body reads as another service's request, whose records it knows fully."""
    for other in EXPORT_SERVICES if len(body) <= _MOST_BYTES else ():
        if other is not service and _plausible(other, body):
            raise MalformedTelemetry(
                f"The body is an {other.request.DESCRIPTOR.name}: send it to {other.path}, or over gRPC to {other.method}, "
                f"not to {service.path}."
            )


def _plausible(service: ExportService, body: bytes) -> bool:
    try:
        request = service.request.FromString(body)
    except DecodeError:
        return False
    first = next(_records(service, request), None)
    return first is not None and not UnknownFieldSet(first) and _LIKELY[service.signal.name](first)


def _records(service: ExportService, request: Any) -> Iterator[Any]:
    resources, scopes, records = _WAYS[service.signal.name]
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            yield from getattr(scope, records)
