"""What is kept, what is refused and why, and that nothing but 4xx errors comes of any bytes."""

import random
from typing import Any

import pytest
from backports import zstd
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.errors import PayloadTooLarge, RequestError
from services.ingestion import wire
from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from services.ingestion.receivers.validation import REASONS, Limits, Verdict, validate
from tests.fixtures.wire_forms import odd_form
from tests.unit.services.ingestion.otlp_strategies import NOW, log_requests, metric_requests, trace_requests

DAY = 86_400 * 10**9
LIMITS = Limits()


def spans(*each: dict[str, Any], **around: Any) -> ExportTraceServiceRequest:
    """One request whose spans are valid but for the given fields."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(**around)
    scope = resource.scope_spans.add()
    for number, fields in enumerate(each):
        valid = {
            "trace_id": bytes(15) + b"\1",
            "span_id": (number + 1).to_bytes(8, "big"),
            "start_time_unix_nano": NOW - 5,
            "end_time_unix_nano": NOW,
        }
        scope.spans.add(**(valid | fields))
    return request


def judge(service: ExportService, request: Message, limits: Limits = LIMITS) -> Verdict:
    return validate(service, request.SerializeToString(), limits, NOW)


def kept_spans(verdict: Verdict) -> list[Any]:
    return [
        span
        for payload, _ in verdict.payloads
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize(
    ("service", "requests"),
    [(TRACE_SERVICE, trace_requests), (LOGS_SERVICE, log_requests), (METRICS_SERVICE, metric_requests)],
)
@given(data=st.data())
def test_a_valid_request_passes_as_the_very_bytes_it_came_in(
    service: ExportService, requests: st.SearchStrategy[Message], data: st.DataObject
) -> None:
    body = data.draw(requests).SerializeToString()
    verdict = validate(service, body, LIMITS, NOW)
    assert not verdict.rejected
    assert verdict.message(service, LIMITS) == ""
    assert all(payload is body for payload, _ in verdict.payloads)
    assert len(verdict.payloads) == bool(verdict.records)


@given(st.sampled_from(EXPORT_SERVICES), st.binary(max_size=300))
def test_no_bytes_make_anything_but_a_request_error(service: ExportService, body: bytes) -> None:
    try:
        validate(service, body, LIMITS, NOW)
    except RequestError as error:
        assert 400 <= error.status < 500
        assert service.request.DESCRIPTOR.name in error.detail


@given(trace_requests, st.data())
def test_no_mutation_makes_anything_but_a_request_error(
    request: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(body) - 1)))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    limit = data.draw(st.sampled_from([LIMITS, Limits(max_message_bytes=64, max_attributes=1)]))
    try:
        verdict = validate(TRACE_SERVICE, bytes(body), limit, NOW)
    except RequestError as error:
        assert 400 <= error.status < 500
    else:
        assert len(kept_spans(verdict)) == verdict.records


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "invalid_trace_id"),
        ({"trace_id": bytes(16)}, "invalid_trace_id"),
        ({"trace_id": b"8 bytes!"}, "invalid_trace_id"),
        ({"trace_id": b"x" * 17}, "invalid_trace_id"),
        ({"span_id": b""}, "invalid_span_id"),
        ({"span_id": bytes(8)}, "invalid_span_id"),
        ({"span_id": b"x" * 16}, "invalid_span_id"),
        ({"attributes": [{"key": str(n)} for n in range(10_001)]}, "too_many_attributes"),
    ],
)
def test_a_bad_span_is_taken_out_and_the_others_stay(fields: dict[str, Any], reason: str) -> None:
    request = spans({"name": "first"}, fields, {"name": "last"})
    verdict = judge(TRACE_SERVICE, request)
    assert verdict.rejected == {reason: 1}
    assert [span.name for span in kept_spans(verdict)] == ["first", "last"]
    assert verdict.records == 2
    message = verdict.message(TRACE_SERVICE, LIMITS)
    assert message.startswith("1 spans rejected (1: ")
    assert REASONS[reason].format(**LIMITS._asdict()) in message


def test_a_request_of_bad_spans_only_leaves_nothing_for_the_bus() -> None:
    verdict = judge(TRACE_SERVICE, spans({"trace_id": b""}, {"span_id": b""}))
    assert verdict.payloads == []
    assert verdict.rejected == {"invalid_trace_id": 1, "invalid_span_id": 1}


@pytest.mark.parametrize("body", [b"", b"\x0a\x00", spans().SerializeToString()])
def test_a_request_without_spans_is_fine_and_goes_nowhere(body: bytes) -> None:
    verdict = validate(TRACE_SERVICE, body, LIMITS, NOW)
    assert verdict == Verdict()


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time_unix_nano": 0},
        {"end_time_unix_nano": 0},
        {"start_time_unix_nano": 1},  # 1970
        {"end_time_unix_nano": 4_102_444_800 * 10**9},  # 2100
        {"start_time_unix_nano": NOW - 30 * DAY - 1},
        {"end_time_unix_nano": NOW + DAY + 1},
        {"start_time_unix_nano": 2**64 - 1},
    ],
)
def test_a_span_of_another_time_is_kept_as_sent_and_remarked_upon(fields: dict[str, Any]) -> None:
    request = spans({}, fields)
    body = request.SerializeToString()
    verdict = validate(TRACE_SERVICE, body, LIMITS, NOW)
    assert verdict.payloads == [(body, 2)]
    assert (verdict.rejected, verdict.odd_times) == ({}, 1)
    assert "1 spans accepted whose time is more than 30 days in the past or 1 in the future" in verdict.message(
        TRACE_SERVICE, LIMITS
    )


def test_the_edges_of_the_window_and_a_clock_that_stepped_back_are_nothing_special() -> None:
    request = spans(
        {"start_time_unix_nano": NOW - 30 * DAY},
        {"end_time_unix_nano": NOW + DAY},
        {"start_time_unix_nano": NOW, "end_time_unix_nano": NOW - 1},
    )
    verdict = judge(TRACE_SERVICE, request)
    assert (verdict.records, verdict.odd_times) == (3, 0)


def test_attributes_of_resource_and_scope_count_too() -> None:
    many = [{"key": str(n)} for n in range(10_001)]
    verdict = judge(TRACE_SERVICE, spans({}, {}, resource={"attributes": many}))
    assert verdict.rejected == {"too_many_attributes": 2}
    request = spans({})
    request.resource_spans[0].scope_spans[0].scope.attributes.extend(
        ExportTraceServiceRequest(resource_spans=[{"resource": {"attributes": many}}])
        .resource_spans[0]
        .resource.attributes
    )
    assert judge(TRACE_SERVICE, request).rejected == {"too_many_attributes": 1}


def test_log_records_keep_ids_of_any_length_and_may_lack_a_time() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.log_records.add(trace_id=b"short", span_id=b"x" * 99)
    scope.log_records.add(observed_time_unix_nano=NOW)
    verdict = judge(LOGS_SERVICE, request)
    assert (verdict.records, verdict.rejected, verdict.odd_times) == (2, {}, 0)
    scope.log_records.add(time_unix_nano=1, observed_time_unix_nano=NOW)
    scope.log_records.add(observed_time_unix_nano=1)
    scope.log_records.add(attributes=[{"key": str(n)} for n in range(10_001)])
    verdict = judge(LOGS_SERVICE, request)
    assert (verdict.records, verdict.rejected, verdict.odd_times) == (4, {"too_many_attributes": 1}, 2)


def metrics(**fields: Any) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", **fields)
    return request


def test_points_without_a_value_are_refused_unless_they_say_so() -> None:
    points = [
        {"time_unix_nano": NOW, "as_double": float("nan")},
        {"time_unix_nano": NOW},
        {"time_unix_nano": NOW, "flags": 1},
        {"time_unix_nano": NOW, "as_int": 0},
        {"time_unix_nano": 0, "as_int": 0},
    ]
    for kind in ("gauge", "sum"):
        verdict = judge(METRICS_SERVICE, metrics(**{kind: {"data_points": points}}))
        assert (verdict.records, verdict.rejected, verdict.odd_times) == (4, {"missing_value": 1}, 1)


@pytest.mark.parametrize("kind", ["histogram", "exponential_histogram", "summary"])
def test_points_of_other_kinds_need_no_value(kind: str) -> None:
    request = metrics(**{kind: {"data_points": [{"time_unix_nano": NOW, "count": 1}]}})
    body = request.SerializeToString()
    assert validate(METRICS_SERVICE, body, LIMITS, NOW).payloads == [(body, 1)]


def test_a_metric_of_no_known_kind_is_refused_and_the_others_stay() -> None:
    request = metrics(gauge={"data_points": [{"time_unix_nano": NOW, "as_int": 1}]})
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="from the future").MergeFromString(
        b"\xa2\x06\x02\x0a\x00"
    )
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="empty", gauge={})
    verdict = judge(METRICS_SERVICE, request)
    assert (verdict.records, verdict.rejected) == (1, {"missing_data": 1})
    left = ExportMetricsServiceRequest.FromString(verdict.payloads[0][0])
    assert [metric.name for metric in left.resource_metrics[0].scope_metrics[0].metrics] == ["m", "empty"]


def test_a_large_request_is_cut_and_bad_records_are_found_in_every_part() -> None:
    limits = Limits(max_message_bytes=5_000)
    request = spans(*({"name": str(n), "trace_id": b"" if n % 10 == 0 else b"x" * 16} for n in range(500)))
    request.resource_spans[0].scope_spans[0].spans[7].name = "y" * 6_000
    verdict = judge(TRACE_SERVICE, request, limits)
    assert verdict.rejected == {"invalid_trace_id": 50, "too_large": 1}
    assert all(len(payload) <= limits.max_message_bytes for payload, _ in verdict.payloads)
    assert [span.name for span in kept_spans(verdict)] == [str(n) for n in range(500) if n % 10 and n != 7]
    assert "must fit 5000 bytes" in verdict.message(TRACE_SERVICE, limits)


@pytest.mark.parametrize("fields", [{}, {"trace_id": b""}])
def test_more_records_than_one_message_may_hold_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(PayloadTooLarge, match="holds 3 spans or more; send at most 2"):
        judge(TRACE_SERVICE, spans({}, fields, {}), Limits(max_records=2))


def test_a_body_of_empty_spans_is_refused_before_each_is_looked_at() -> None:
    body = ExportTraceServiceRequest(resource_spans=[{"scope_spans": [{"spans": [{}] * 300_000}]}]).SerializeToString()
    with pytest.raises(PayloadTooLarge, match="holds 300000 spans or more"):
        validate(TRACE_SERVICE, body, LIMITS, NOW)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x1f\x8b\x08\x00 gzip", "send Content-Encoding: gzip"),
        (zstd.compress(b"some telemetry"), "send Content-Encoding: zstd"),
        (b' {"resourceSpans":[]}', "send Content-Type: application/json"),
        (spans({"name": "??"}).SerializeToString().replace(b"??", b"\xc3\x28"), "spans[0].name"),
        (spans({}).SerializeToString()[:-1], "message ends inside a field"),
    ],
)
def test_a_malformed_body_is_refused_with_what_to_do(body: bytes, complaint: str) -> None:
    with pytest.raises(MalformedTelemetry) as caught:
        validate(TRACE_SERVICE, body, LIMITS, NOW)
    assert caught.value.detail.startswith("The body is no ExportTraceServiceRequest: ")
    assert complaint in caught.value.detail


def test_a_large_body_that_cannot_be_cut_is_malformed() -> None:
    body = spans({}, {}).SerializeToString()[:-1]
    with pytest.raises(MalformedTelemetry, match="the message: message ends inside a field at byte"):
        validate(TRACE_SERVICE, body, Limits(max_message_bytes=20), NOW)


def test_values_nested_too_deep_are_refused() -> None:
    request = spans({})
    value = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="deep").value
    for _ in range(60):
        value = value.array_value.values.add()
    with pytest.raises(MalformedTelemetry, match="nested deeper than 100"):
        judge(TRACE_SERVICE, request)


def unreadable(kind: str) -> dict[str, Any]:
    """Fields of a span that does not parse; the marker is replaced after serialising."""
    if kind == "UTF-8":
        return {"name": "??"}
    value: dict[str, Any] = {"string_value": "bottom"}
    for _ in range(60):
        value = {"array_value": {"values": [value]}}
    return {"attributes": [{"key": "deep", "value": value}]}


@pytest.mark.parametrize(("kind", "complaint"), [("UTF-8", "name (byte "), ("depth", "nested deeper than 100")])
@pytest.mark.parametrize("limits", [LIMITS, Limits(max_message_bytes=1000)], ids=["whole", "cut"])
def test_a_span_that_cannot_be_read_is_taken_out_and_the_others_stay(kind: str, complaint: str, limits: Limits) -> None:
    good = [{"name": f"good {number}"} for number in range(30)]
    body = spans(*good[:15], unreadable(kind), *good[15:]).SerializeToString().replace(b"??", b"\xc3\x28")
    verdict = validate(TRACE_SERVICE, body, limits, NOW)
    assert [span.name for span in kept_spans(verdict)] == [span["name"] for span in good]
    assert verdict.rejected == {"unreadable": 1}
    message = verdict.message(TRACE_SERVICE, limits)
    assert message.startswith("1 spans rejected (1: cannot be read; the first one: ")
    assert complaint in message


def test_data_points_of_a_metric_that_cannot_be_read_go_and_other_metrics_stay() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for name in ("??", "fine"):
        points = metrics.add(name=name).gauge.data_points
        for value in (1, 2):
            points.add(as_int=value, time_unix_nano=NOW)
    verdict = validate(METRICS_SERVICE, request.SerializeToString().replace(b"??", b"\xff\xff"), LIMITS, NOW)
    assert verdict.rejected == {"unreadable": 2}
    ((payload, records),) = verdict.payloads
    kept = ExportMetricsServiceRequest.FromString(payload).resource_metrics[0].scope_metrics[0].metrics
    assert ([metric.name for metric in kept], records) == (["fine"], 2)


def test_too_many_records_to_look_through_are_refused_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SALVAGED_FIELDS", 20)
    body = spans(*[{"name": "good"}] * 30, unreadable("UTF-8")).SerializeToString().replace(b"??", b"\xc3\x28")
    with pytest.raises(MalformedTelemetry, match="is not valid UTF-8"):
        validate(TRACE_SERVICE, body, LIMITS, NOW)


@pytest.mark.parametrize(("resource_bytes", "count"), [(20_000, 1000), (100, 1000), (20_000, 20)])
def test_rows_are_no_more_than_a_multiple_of_what_is_on_the_bus(resource_bytes: int, count: int) -> None:
    arguments = {"key": "process.command_args", "value": {"string_value": "x" * resource_bytes}}
    request = spans(*[{"name": str(number)} for number in range(count)], resource={"attributes": [arguments]})
    limits = Limits(max_message_bytes=256 * 1024)
    verdict = judge(TRACE_SERVICE, request, limits)
    assert not verdict.rejected
    assert [span.name for span in kept_spans(verdict)] == [str(number) for number in range(count)]
    assert verdict.records == count
    for payload, records in verdict.payloads:
        assert len(payload) <= limits.max_message_bytes
        assert records * resource_bytes <= limits.max_repetition * len(payload)
        kept = ExportTraceServiceRequest.FromString(payload)
        assert all(resource.resource == request.resource_spans[0].resource for resource in kept.resource_spans)


def test_more_repetition_than_the_store_can_hold_is_refused() -> None:
    large = {"attributes": [{"key": "dump", "value": {"string_value": "x" * 50_000}}]}
    request = spans(*[{}] * 100, resource=large)
    request.resource_spans.add().scope_spans.add().spans.extend(
        spans({"name": "neighbour"}).resource_spans[0].scope_spans[0].spans
    )
    verdict = judge(TRACE_SERVICE, request, Limits(max_row_bytes=4_000_000))
    assert verdict.rejected == {"too_much_repetition": 100}
    assert [span.name for span in kept_spans(verdict)] == ["neighbour"]
    assert "process.command_args" in verdict.message(TRACE_SERVICE, LIMITS)


@pytest.mark.parametrize(
    ("service", "requests"),
    [(TRACE_SERVICE, trace_requests), (LOGS_SERVICE, log_requests), (METRICS_SERVICE, metric_requests)],
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_every_spelling_of_a_request_leaves_in_the_one_that_upb_writes(
    service: ExportService, requests: st.SearchStrategy[Message], data: st.DataObject, seed: int
) -> None:
    request = data.draw(requests)
    spelled = odd_form(request, random.Random(seed))
    expected = validate(service, request.SerializeToString(), LIMITS, NOW)
    assert validate(service, spelled, LIMITS, NOW).payloads == expected.payloads


@pytest.mark.parametrize("right", EXPORT_SERVICES, ids=lambda service: service.signal.name)
@pytest.mark.parametrize("wrong", EXPORT_SERVICES, ids=lambda service: service.signal.name)
def test_another_service_s_request_is_refused_with_where_it_belongs(right: ExportService, wrong: ExportService) -> None:
    point = {"as_int": 1, "time_unix_nano": NOW}
    bodies = {
        TRACE_SERVICE.path: spans({"name": "GET /", "kind": 2, "attributes": [{"key": "a"}]}),
        LOGS_SERVICE.path: ExportLogsServiceRequest(
            resource_logs=[{"scope_logs": [{"log_records": [{"time_unix_nano": NOW, "body": {"string_value": "x"}}]}]}]
        ),
        METRICS_SERVICE.path: ExportMetricsServiceRequest(
            resource_metrics=[{"scope_metrics": [{"metrics": [{"name": "n", "gauge": {"data_points": [point]}}]}]}]
        ),
    }
    body = bodies[right.path].SerializeToString()
    if right is wrong:
        assert validate(wrong, body, LIMITS, NOW).records == 1
        return
    with pytest.raises(MalformedTelemetry, match=f"send it to {right.path}, or over gRPC"):
        validate(wrong, body, LIMITS, NOW)


def test_what_the_request_has_beside_its_records_is_named() -> None:
    known = spans({})
    verdict = validate(TRACE_SERVICE, known.SerializeToString() + b"\x3a\x01x", LIMITS, NOW)
    assert verdict.payloads == [(known.SerializeToString(), 1)]
    assert verdict.message(TRACE_SERVICE, LIMITS) == "ExportTraceServiceRequest has no field 7; it was not taken."
    library = wire.nested(2, known.resource_spans[0].scope_spans[0].spans[0].SerializeToString())
    old = wire.nested(1, wire.nested(1000, library * 2))
    verdict = validate(TRACE_SERVICE, known.SerializeToString() + old, LIMITS, NOW)
    assert (verdict.rejected, verdict.records) == ({"legacy_scope": 2}, 1)
