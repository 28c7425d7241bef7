"""Random OTLP messages that use every field, and the JSON that the API owes for them, written from the protobuf messages."""

import base64
import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.sampled_from(["", "한국어", "a\0b", "quote\"'\\", "$int", "line\nbreak\ttab"]),
)
U32 = st.one_of(st.just(0), st.integers(0, 2**32 - 1))
U64 = st.one_of(st.just(0), st.just(2**64 - 1), st.integers(0, 2**64 - 1))
I64 = st.one_of(st.sampled_from([0, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))
I32 = st.integers(-(2**31), 2**31 - 1)
DOUBLE = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1e22, 5e-324, math.nan, math.inf, -math.inf]), st.floats(width=64))
ENUM = st.integers(0, 9)


def _optional(strategy: Any) -> Any:
    return st.one_of(st.none(), strategy)


def _of(message: type, /, **fields: Any) -> Any:
    """Messages of a type; fields whose strategy gives None are left unset."""
    return st.fixed_dictionaries(fields).map(
        lambda values: message(**{name: value for name, value in values.items() if value is not None})
    )


_SCALARS = st.one_of(
    st.just(AnyValue()),
    TEXT.map(lambda value: AnyValue(string_value=value)),
    st.booleans().map(lambda value: AnyValue(bool_value=value)),
    I64.map(lambda value: AnyValue(int_value=value)),
    DOUBLE.map(lambda value: AnyValue(double_value=value)),
    st.binary(max_size=6).map(lambda value: AnyValue(bytes_value=value)),
)


def _array(values: list[AnyValue]) -> AnyValue:
    message = AnyValue()
    message.array_value.SetInParent()
    message.array_value.values.extend(values)
    return message


def _kvlist(values: list[KeyValue]) -> AnyValue:
    message = AnyValue()
    message.kvlist_value.SetInParent()
    message.kvlist_value.values.extend(values)
    return message


def pair(key: str, value: AnyValue) -> KeyValue:
    message = KeyValue(key=key)
    message.value.CopyFrom(value)
    return message


VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_array), st.lists(st.builds(pair, TEXT, inner), max_size=3).map(_kvlist)
    ),
    max_leaves=5,
)
ATTRIBUTES = st.lists(st.builds(pair, TEXT, VALUES), max_size=4, unique_by=lambda pair: pair.key)
_ID16, _ID8 = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)
RESOURCES = _of(
    Resource,
    attributes=st.tuples(ATTRIBUTES, _optional(TEXT)).map(
        lambda drawn: (
            [pair for pair in drawn[0] if pair.key != "service.name"]
            + ([pair("service.name", AnyValue(string_value=drawn[1]))] if drawn[1] is not None else [])
        )
    ),
    dropped_attributes_count=U32,
)
SCOPES = _of(InstrumentationScope, name=TEXT, version=TEXT, attributes=ATTRIBUTES, dropped_attributes_count=U32)
_EVENTS = _of(Span.Event, time_unix_nano=U64, name=TEXT, attributes=ATTRIBUTES, dropped_attributes_count=U32)
_LINKS = _of(
    Span.Link,
    trace_id=_ID16,
    span_id=_ID8,
    trace_state=TEXT,
    attributes=ATTRIBUTES,
    dropped_attributes_count=U32,
    flags=U32,
)
SPANS = _of(
    Span,
    span_id=_ID8,
    parent_span_id=_optional(_ID8),
    trace_state=TEXT,
    flags=U32,
    name=TEXT,
    kind=ENUM,
    start_time_unix_nano=U64,
    end_time_unix_nano=U64,
    attributes=ATTRIBUTES,
    dropped_attributes_count=U32,
    events=st.lists(_EVENTS, max_size=2),
    dropped_events_count=U32,
    links=st.lists(_LINKS, max_size=2),
    dropped_links_count=U32,
    status=_optional(_of(Status, code=ENUM, message=TEXT)),
)
LOG_RECORDS = _of(
    LogRecord,
    time_unix_nano=U64,
    observed_time_unix_nano=U64,
    severity_number=st.integers(0, 30),
    severity_text=TEXT,
    body=_optional(VALUES),
    attributes=ATTRIBUTES,
    dropped_attributes_count=U32,
    flags=U32,
    trace_id=_optional(_ID16),
    span_id=_optional(_ID8),
    event_name=TEXT,
)
_EXEMPLARS = st.lists(
    st.one_of(
        *(
            _of(
                Exemplar,
                time_unix_nano=U64,
                trace_id=_optional(_ID16),
                span_id=_optional(_ID8),
                filtered_attributes=ATTRIBUTES,
                **value,
            )
            for value in ({"as_int": I64}, {"as_double": DOUBLE}, {})
        )
    ),
    max_size=2,
)
_POINT = {"attributes": ATTRIBUTES, "start_time_unix_nano": U64, "time_unix_nano": U64, "flags": U32}
_STATISTICS = {"count": U64, "sum": _optional(DOUBLE), "min": _optional(DOUBLE), "max": _optional(DOUBLE)}
_COUNTS = st.lists(U64, max_size=3)
NUMBER_POINTS = st.lists(
    st.one_of(
        *(
            _of(NumberDataPoint, **_POINT, exemplars=_EXEMPLARS, **v)
            for v in ({"as_int": I64}, {"as_double": DOUBLE}, {})
        )
    ),
    max_size=2,
)
HISTOGRAM_POINTS = st.lists(
    _of(
        HistogramDataPoint, **_POINT, **_STATISTICS, exemplars=_EXEMPLARS,
        bucket_counts=_COUNTS, explicit_bounds=st.lists(DOUBLE, max_size=3),
    ),
    max_size=2,
)  # fmt: skip
_BUCKETS = _optional(_of(ExponentialHistogramDataPoint.Buckets, offset=I32, bucket_counts=_COUNTS))
EXPONENTIAL_POINTS = st.lists(
    _of(
        ExponentialHistogramDataPoint, **_POINT, **_STATISTICS, exemplars=_EXEMPLARS,
        scale=I32, zero_count=U64, zero_threshold=DOUBLE, positive=_BUCKETS, negative=_BUCKETS,
    ),
    max_size=2,
)  # fmt: skip
SUMMARY_POINTS = st.lists(
    _of(
        SummaryDataPoint, **_POINT, count=U64, sum=DOUBLE,
        quantile_values=st.lists(_of(SummaryDataPoint.ValueAtQuantile, quantile=DOUBLE, value=DOUBLE), max_size=2),
    ),
    max_size=2,
)  # fmt: skip


def _metric(
    description: str, unit: str, metadata: list[KeyValue], kind: str, points: list[Any], more: dict[str, Any]
) -> Metric:
    metric = Metric(description=description, unit=unit, metadata=metadata)
    data = getattr(metric, kind)
    data.SetInParent()
    data.data_points.extend(points)
    for name, value in more.items():
        setattr(data, name, value)
    return metric


def _metrics(kind: str, points: Any, **more: Any) -> Any:
    return st.builds(_metric, TEXT, TEXT, ATTRIBUTES, st.just(kind), points, st.fixed_dictionaries(more))


METRICS = st.one_of(
    _metrics("gauge", NUMBER_POINTS),
    _metrics("sum", NUMBER_POINTS, aggregation_temporality=ENUM, is_monotonic=st.booleans()),
    _metrics("histogram", HISTOGRAM_POINTS, aggregation_temporality=ENUM),
    _metrics("exponential_histogram", EXPONENTIAL_POINTS, aggregation_temporality=ENUM),
    _metrics("summary", SUMMARY_POINTS),
)
_URLS = st.sampled_from(["", "https://opentelemetry.io/schemas/1.30.0"])


def _request(kind: type, resources: str, scopes: str, records: str, record: Any) -> Any:
    def build(groups: list[Any]) -> Any:
        request = kind()
        for resource, resource_url, scope, scope_url, items in groups:
            resourced = getattr(request, resources).add(schema_url=resource_url)
            resourced.resource.CopyFrom(resource)
            scoped = getattr(resourced, scopes).add(schema_url=scope_url)
            scoped.scope.CopyFrom(scope)
            getattr(scoped, records).extend(items)
        return request

    group = st.tuples(RESOURCES, _URLS, SCOPES, _URLS, st.lists(record, min_size=1, max_size=2))
    return st.lists(group, min_size=1, max_size=2).map(build)


TRACE_REQUESTS = _request(ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans", SPANS)
LOG_REQUESTS = _request(ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records", LOG_RECORDS)
METRIC_REQUESTS = _request(ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics", METRICS)


# --- what the API owes -------------------------------------------------------------------------------------------------------


def value_json(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    content = getattr(value, kind) if kind else None
    if kind == "int_value" and abs(content) > 2**53 - 1:
        return {"$int": str(content)}
    if kind == "double_value" and not math.isfinite(content):
        return {"$double": _name(content)}
    if kind == "bytes_value":
        return {"$bytes": base64.b64encode(content).decode()}
    if kind == "array_value":
        return [value_json(item) for item in content.values]
    if kind == "kvlist_value":
        pairs = [[pair.key, value_json(pair.value)] for pair in content.values]
        keys = [key for key, _ in pairs]
        plain = len(set(keys)) == len(keys) and not any(key.startswith("$") for key in keys)
        return dict(pairs) if plain else {"$kvlist": pairs}
    return content


def attributes_json(attributes: Any) -> dict[str, Any]:
    return {pair.key: value_json(pair.value) for pair in attributes}


def double_json(value: float) -> Any:
    return value if math.isfinite(value) else _name(value)


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _enum(names: tuple[str, ...], number: int) -> str | int:
    return names[number] if number < len(names) else number


def origin_json(resourced: Any, scoped: Any) -> dict[str, Any]:
    return {
        "resource_attributes": attributes_json(resourced.resource.attributes),
        "resource_dropped_attributes_count": resourced.resource.dropped_attributes_count,
        "resource_schema_url": resourced.schema_url,
        "scope": {
            "name": scoped.scope.name,
            "version": scoped.scope.version,
            "attributes": attributes_json(scoped.scope.attributes),
            "dropped_attributes_count": scoped.scope.dropped_attributes_count,
        },
        "scope_schema_url": scoped.schema_url,
    }


def service_of(resourced: Any) -> str:
    return next((p.value.string_value for p in resourced.resource.attributes if p.key == "service.name"), "")


def span_json(resourced: Any, scoped: Any, span: Span) -> dict[str, Any]:
    duration = (span.end_time_unix_nano - span.start_time_unix_nano + 2**63) % 2**64 - 2**63
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "trace_state": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": _enum(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"), span.kind),
        "service": service_of(resourced),
        "start_time_unix_nano": str(span.start_time_unix_nano),
        "end_time_unix_nano": str(span.end_time_unix_nano),
        "duration_nano": str(duration),
        "attributes": attributes_json(span.attributes),
        "dropped_attributes_count": span.dropped_attributes_count,
        "events": [
            {
                "time_unix_nano": str(event.time_unix_nano),
                "name": event.name,
                "attributes": attributes_json(event.attributes),
                "dropped_attributes_count": event.dropped_attributes_count,
            }
            for event in span.events
        ],
        "dropped_events_count": span.dropped_events_count,
        "links": [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "trace_state": link.trace_state,
                "attributes": attributes_json(link.attributes),
                "dropped_attributes_count": link.dropped_attributes_count,
                "flags": link.flags,
            }
            for link in span.links
        ],
        "dropped_links_count": span.dropped_links_count,
        "status": {"code": _enum(("UNSET", "OK", "ERROR"), span.status.code), "message": span.status.message},
        **origin_json(resourced, scoped),
    }


def log_json(resourced: Any, scoped: Any, record: LogRecord) -> dict[str, Any]:
    return {
        "time_unix_nano": str(record.time_unix_nano),
        "observed_time_unix_nano": str(record.observed_time_unix_nano),
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "body": value_json(record.body),
        "attributes": attributes_json(record.attributes),
        "dropped_attributes_count": record.dropped_attributes_count,
        "flags": record.flags,
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
        "event_name": record.event_name,
        "service": service_of(resourced),
        **origin_json(resourced, scoped),
    }


def series_json(resourced: Any, scoped: Any, metric: Metric, point: Any) -> dict[str, Any]:
    """A series with this one point."""
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    temporality = getattr(data, "aggregation_temporality", 0)
    return {
        "type": kind,
        "unit": metric.unit,
        "description": metric.description,
        "temporality": _enum(("UNSPECIFIED", "DELTA", "CUMULATIVE"), temporality),
        "monotonic": getattr(data, "is_monotonic", False),
        "metadata": attributes_json(metric.metadata),
        "service": service_of(resourced),
        "attributes": attributes_json(point.attributes),
        **origin_json(resourced, scoped),
        "points": [point_json(kind, point)],
    }


def point_json(kind: str, point: Any) -> dict[str, Any]:
    owed: dict[str, Any] = {
        "start_time_unix_nano": str(point.start_time_unix_nano),
        "time_unix_nano": str(point.time_unix_nano),
        "flags": point.flags,
    }
    if kind in {"gauge", "sum"}:
        owed |= _number_json(point)
    elif kind == "summary":
        owed |= {"count": str(point.count), "sum": double_json(point.sum)}
        owed["quantile_values"] = [
            {"quantile": double_json(entry.quantile), "value": double_json(entry.value)}
            for entry in point.quantile_values
        ]
    else:
        owed["count"] = str(point.count)
        owed |= {name: double_json(getattr(point, name)) for name in ("sum", "min", "max") if point.HasField(name)}
    if kind == "histogram":
        owed["bucket_counts"] = [str(count) for count in point.bucket_counts]
        owed["explicit_bounds"] = [double_json(bound) for bound in point.explicit_bounds]
    if kind == "exponential_histogram":
        owed |= {
            "scale": point.scale,
            "zero_count": str(point.zero_count),
            "zero_threshold": double_json(point.zero_threshold),
        }
        for side in ("positive", "negative"):
            buckets = getattr(point, side)
            owed[side] = {"offset": buckets.offset, "bucket_counts": [str(count) for count in buckets.bucket_counts]}
    if kind != "summary":
        owed["exemplars"] = [
            {
                "time_unix_nano": str(exemplar.time_unix_nano),
                **_number_json(exemplar),
                "span_id": exemplar.span_id.hex(),
                "trace_id": exemplar.trace_id.hex(),
                "filtered_attributes": attributes_json(exemplar.filtered_attributes),
            }
            for exemplar in point.exemplars
        ]
    return owed


def _number_json(point: Any) -> dict[str, Any]:
    match point.WhichOneof("value"):
        case "as_int":
            return {"as_int": str(point.as_int)}
        case "as_double":
            return {"as_double": double_json(point.as_double)}
    return {}
