"""Cutting messages keeps every record once; finding faults names them."""

from collections import Counter

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.ingestion import wire
from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from tests.unit.services.ingestion.otlp_strategies import log_requests, metric_requests, trace_requests

REQUESTS = {TRACE_SERVICE.path: trace_requests, LOGS_SERVICE.path: log_requests, METRICS_SERVICE.path: metric_requests}
FIELDS = {
    TRACE_SERVICE.path: ("resource_spans", "scope_spans", "spans"),
    LOGS_SERVICE.path: ("resource_logs", "scope_logs", "log_records"),
    METRICS_SERVICE.path: ("resource_metrics", "scope_metrics", "metrics"),
}


def records(service: ExportService, request: Message) -> Counter[tuple[bytes, ...]]:
    """Each record with all it lies in, as bytes, so that a record under a wrong resource counts as another one."""
    resources, scopes, leaves = FIELDS[service.path]
    found: Counter[tuple[bytes, ...]] = Counter()
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            around = (
                resource.resource.SerializeToString(),
                resource.schema_url.encode(),
                scope.scope.SerializeToString(),
                scope.schema_url.encode(),
            )
            for leaf in getattr(scope, leaves):
                kind = leaf.WhichOneof("data") if service is METRICS_SERVICE else None
                if kind is None:
                    found[(*around, leaf.SerializeToString())] += 1
                    continue
                metric = type(leaf)()
                metric.CopyFrom(leaf)
                del getattr(metric, kind).data_points[:]
                for point in getattr(leaf, kind).data_points:
                    found[(*around, metric.SerializeToString(), point.SerializeToString())] += 1
    return found


@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
@given(data=st.data(), limit=st.integers(16, 600))
def test_every_record_is_in_one_part_or_counted_as_dropped(
    service: ExportService, data: st.DataObject, limit: int
) -> None:
    request = data.draw(REQUESTS[service.path])
    body = request.SerializeToString()
    parts = wire.cut(body, service.record_path, limit)
    assert all(len(part) <= limit for part in parts.messages)
    kept = sum((records(service, service.request.FromString(part)) for part in parts.messages), Counter())
    whole = records(service, request)
    assert kept.total() + parts.dropped == whole.total()
    assert not kept - whole
    if limit >= 2 * len(body):
        assert kept == whole


def test_a_metric_of_many_points_is_cut_between_them() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="s")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = 2
    for number in range(1000):
        metric.sum.data_points.add(as_int=number, time_unix_nano=1)
    parts = wire.cut(request.SerializeToString(), METRICS_SERVICE.record_path, 1000)
    cut = [ExportMetricsServiceRequest.FromString(part) for part in parts.messages]
    metrics = [request.resource_metrics[0].scope_metrics[0].metrics[0] for request in cut]
    assert {(m.name, m.unit, m.sum.is_monotonic, m.sum.aggregation_temporality) for m in metrics} == {
        ("m", "s", True, 2)
    }
    assert [point.as_int for m in metrics for point in m.sum.data_points] == list(range(1000))
    assert len(metrics) < 30  # packed well: 17 bytes a point, 1000 bytes a part


def test_records_of_a_resource_that_fills_a_part_are_dropped_not_multiplied() -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="k").value.string_value = "v" * 900
    scope = resource.scope_spans.add()
    for _ in range(50):
        scope.spans.add(name="x" * 20)
    assert wire.cut(request.SerializeToString(), TRACE_SERVICE.record_path, 1000) == ([], 50)


@given(trace_requests, st.data())
def test_a_cut_off_message_is_a_fault(request: ExportTraceServiceRequest, data: st.DataObject) -> None:
    body = request.SerializeToString()
    cut_off = body[: data.draw(st.integers(0, max(0, len(body) - 1)))]
    try:
        parts = wire.cut(cut_off, TRACE_SERVICE.record_path, 64)
    except wire.WireFault as fault:
        assert 0 <= fault.offset <= len(cut_off)
    else:
        # Cut between two fields of the outermost level, or inside a record that is not looked into.
        assert parts.dropped >= 0


@given(st.sampled_from(EXPORT_SERVICES), st.binary(max_size=200))
def test_find_fault_agrees_with_upb(service: ExportService, body: bytes) -> None:
    try:
        service.request.FromString(body)
    except DecodeError:
        assert wire.find_fault(body, service.request.DESCRIPTOR) != ""
    # The other way round need not hold: upb reads groups and fields of unexpected types as unknown ones.


@given(trace_requests, st.data())
def test_find_fault_names_the_string_that_is_not_utf8(request: ExportTraceServiceRequest, data: st.DataObject) -> None:
    marker = "mark"
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(name="before")
    scope.spans.add().attributes.add(key=marker)
    body = request.SerializeToString().replace(marker.encode(), b"\xff\xfe\xfd\xfc")
    where = f"resource_spans[{len(request.resource_spans) - 1}].scope_spans[0].spans[1].attributes[0].key"
    fault = wire.find_fault(body, ExportTraceServiceRequest.DESCRIPTOR)
    assert fault is not None
    assert fault.startswith(where)
    assert fault.endswith("is not valid UTF-8")


def test_find_fault_gives_up_on_a_body_that_is_dear_to_look_through() -> None:
    body = b"\x10\x00" * 200_000 + b"\x0a"
    assert wire.find_fault(body, ExportTraceServiceRequest.DESCRIPTOR) is None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\x0a\x05abc", "message ends inside a field at byte 5"),
        (b"\x0a", "message ends inside a field at byte 1"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "varint longer than 10 bytes"),
        (b"\x02\x00", "field number 0 at byte 0"),
        (b"\x0b", "wire type 3 does not occur in OTLP at byte 0"),
        (b"\x0a\x03\x12\x05a", "resource_spans[0]: message ends inside a field at byte 5"),
    ],
)
def test_faults_of_form(body: bytes, what: str) -> None:
    fault = wire.find_fault(body, ExportTraceServiceRequest.DESCRIPTOR)
    assert fault is not None
    assert what in fault


@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
@given(data=st.data(), most=st.integers(1, 4))
def test_spread_repeats_what_lies_beside_and_keeps_every_record(
    service: ExportService, data: st.DataObject, most: int
) -> None:
    request = data.draw(REQUESTS[service.path])
    parts = wire.spread(request.SerializeToString(), service.record_path, most)
    assert all(0 < part.records <= most for part in parts)
    whole = records(service, service.request.FromString(b"".join(part.message for part in parts)))
    owed = records(service, request)
    if service is METRICS_SERVICE:  # a metric without data has no record
        owed = Counter({place: count for place, count in owed.items() if len(place) == 6})
    assert whole == owed
    assert sum(part.records for part in parts) == owed.total()


def test_parts_are_joined_up_to_a_limit() -> None:
    parts = [wire.Part(b"x" * size, 1) for size in (4, 4, 4, 20, 1)]
    assert [(len(part.message), part.records) for part in wire.joined(parts, 10)] == [(8, 2), (4, 1), (20, 1), (1, 1)]
