"""Hypothesis strategies for OTLP requests: every field, nested values, odd numbers; ids and times valid by default."""

import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

NOW = 1_790_000_000_000_000_000

text = st.text(max_size=6)
uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
# JSON has one NaN; the others would not come back.
double = st.one_of(st.just(math.nan), st.floats(allow_nan=False))
times = st.integers(NOW - 10**15, NOW)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)
span_ids = st.binary(min_size=8, max_size=8).filter(any)

any_value: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"string_value": text}),
        st.fixed_dictionaries({"bool_value": st.booleans()}),
        st.fixed_dictionaries({"int_value": int64}),
        st.fixed_dictionaries({"double_value": double}),
        st.fixed_dictionaries({"bytes_value": st.binary(max_size=5)}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"array_value": st.fixed_dictionaries({"values": st.lists(inner, max_size=3)})}),
        st.fixed_dictionaries(
            {
                "kvlist_value": st.fixed_dictionaries(
                    {"values": st.lists(st.fixed_dictionaries({"key": text, "value": inner}), max_size=3)}
                )
            }
        ),
    ),
    max_leaves=5,
)
attributes = st.lists(st.fixed_dictionaries({"key": text, "value": any_value}), max_size=3)
events = st.fixed_dictionaries({"time_unix_nano": uint64, "name": text, "attributes": attributes})
links = st.fixed_dictionaries(
    {"trace_id": st.binary(max_size=16), "span_id": st.binary(max_size=8), "trace_state": text, "flags": uint32}
)
spans = st.fixed_dictionaries(
    {"trace_id": trace_ids, "span_id": span_ids, "start_time_unix_nano": times, "end_time_unix_nano": st.just(NOW)},
    optional={
        "parent_span_id": span_ids,
        "trace_state": text,
        "name": text,
        "kind": st.integers(0, 5),
        "flags": uint32,
        "attributes": attributes,
        "dropped_attributes_count": uint32,
        "events": st.lists(events, max_size=2),
        "links": st.lists(links, max_size=2),
        "status": st.fixed_dictionaries({"message": text, "code": st.integers(0, 2)}),
    },
)
log_records = st.fixed_dictionaries(
    {},
    optional={
        "time_unix_nano": times,
        "observed_time_unix_nano": times,
        "severity_number": st.integers(0, 24),
        "severity_text": text,
        "body": any_value,
        "attributes": attributes,
        "trace_id": st.binary(max_size=20),
        "span_id": st.binary(max_size=9),
        "event_name": text,
        "flags": uint32,
    },
)
_point = {"time_unix_nano": times, "start_time_unix_nano": uint64, "attributes": attributes, "flags": st.just(0)}
exemplars = st.fixed_dictionaries(
    {"time_unix_nano": uint64, "as_double": double, "span_id": span_ids, "trace_id": trace_ids}
)
number_points = st.one_of(
    st.fixed_dictionaries(_point | {"as_double": double, "exemplars": st.lists(exemplars, max_size=1)}),
    st.fixed_dictionaries(_point | {"as_int": int64}),
)
histogram_points = st.fixed_dictionaries(
    _point
    | {"count": uint64, "bucket_counts": st.lists(uint64, max_size=3), "explicit_bounds": st.lists(double, max_size=2)},
    optional={"sum": double, "min": double, "max": double},
)
exponential_points = st.fixed_dictionaries(
    _point
    | {
        "count": uint64,
        "scale": st.integers(-10, 20),
        "zero_count": uint64,
        "positive": st.fixed_dictionaries(
            {"offset": st.integers(-(2**31), 2**31 - 1), "bucket_counts": st.lists(uint64, max_size=3)}
        ),
    },
    optional={"sum": double, "zero_threshold": double},
)
summary_points = st.fixed_dictionaries(
    _point
    | {
        "count": uint64,
        "sum": double,
        "quantile_values": st.lists(st.fixed_dictionaries({"quantile": double, "value": double}), max_size=2),
    }
)


def _data(name: str, points: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({name: st.fixed_dictionaries({"data_points": st.lists(points, max_size=3), **more})})


_temporality = {"aggregation_temporality": st.integers(0, 2)}
metrics = st.builds(
    lambda head, data: head | data,
    st.fixed_dictionaries({"name": text, "unit": text, "description": text, "metadata": attributes}),
    st.one_of(
        _data("gauge", number_points),
        _data("sum", number_points, is_monotonic=st.booleans(), **_temporality),
        _data("histogram", histogram_points, **_temporality),
        _data("exponential_histogram", exponential_points, **_temporality),
        _data("summary", summary_points),
    ),
)
_resource = st.fixed_dictionaries({"attributes": attributes, "dropped_attributes_count": uint32})
_scope = st.fixed_dictionaries({"name": text, "version": text, "attributes": attributes})


def _request(resources: str, scopes: str, records: str, record: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    scoped = st.fixed_dictionaries({"scope": _scope, records: st.lists(record, max_size=4), "schema_url": text})
    resourced = st.fixed_dictionaries({"resource": _resource, scopes: st.lists(scoped, max_size=2), "schema_url": text})
    return st.fixed_dictionaries({resources: st.lists(resourced, max_size=2)})


trace_requests = _request("resource_spans", "scope_spans", "spans", spans).map(
    lambda fields: ExportTraceServiceRequest(**fields)
)
log_requests = _request("resource_logs", "scope_logs", "log_records", log_records).map(
    lambda fields: ExportLogsServiceRequest(**fields)
)
metric_requests = _request("resource_metrics", "scope_metrics", "metrics", metrics).map(
    lambda fields: ExportMetricsServiceRequest(**fields)
)
