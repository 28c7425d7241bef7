"""OTLP/JSON against google.protobuf.json_format, where OTLP does not differ from it, and against OTLP's text where it does."""

import base64
import math
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from services.ingestion.receivers.otlp.json_documents import to_protobuf
from tests.unit.services.ingestion.otlp_strategies import log_requests, metric_requests, trace_requests

_IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}


def otlp_json(message: Message, **options: Any) -> bytes:
    """What a conforming sender makes of `message`: proto3 JSON with hex ids."""

    def with_hex_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(inner).hex() if key in _IDS and isinstance(inner, str) else with_hex_ids(inner)
                for key, inner in value.items()
            }
        return [with_hex_ids(inner) for inner in value] if isinstance(value, list) else value

    return orjson.dumps(with_hex_ids(json_format.MessageToDict(message, **options)))


def canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("service", "requests"),
    [(TRACE_SERVICE, trace_requests), (LOGS_SERVICE, log_requests), (METRICS_SERVICE, metric_requests)],
)
@given(data=st.data(), integers_for_enums=st.booleans(), snake_case=st.booleans())
def test_what_a_sender_writes_is_what_it_meant(
    service: ExportService,
    requests: st.SearchStrategy[Message],
    data: st.DataObject,
    integers_for_enums: bool,
    snake_case: bool,
) -> None:
    message = data.draw(requests)
    body = otlp_json(message, use_integers_for_enums=integers_for_enums, preserving_proto_field_name=snake_case)
    read = service.request.FromString(to_protobuf(service, body).body)
    assert canonical(read) == canonical(message)


@given(st.sampled_from(EXPORT_SERVICES), st.binary(max_size=60))
def test_bytes_are_read_or_refused(service: ExportService, body: bytes) -> None:
    try:
        to_protobuf(service, body)
    except MalformedTelemetry as error:
        assert error.detail.startswith("The body is no")


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=4)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


@given(trace_requests, st.data())
def test_a_document_with_a_wrong_value_is_read_or_refused_with_its_path(
    message: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    document = orjson.loads(otlp_json(message))
    here: Any = document
    while isinstance(here, dict | list) and here:
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.booleans()):
            here[key] = data.draw(json_values)
            break
        here = here[key]
    try:
        converted = to_protobuf(TRACE_SERVICE, orjson.dumps(document))
    except MalformedTelemetry as error:
        assert "resourceSpans" in error.detail
    else:
        assert converted.fault.startswith("resourceSpans") == bool(converted.unreadable)


def span(**fields: Any) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}, fields]}]}]})


def read_span(**fields: Any) -> Any:
    request = ExportTraceServiceRequest.FromString(to_protobuf(TRACE_SERVICE, span(**fields)).body)
    return request.resource_spans[0].scope_spans[0].spans[1]


def test_ids_are_hex_in_any_case() -> None:
    assert read_span(traceId="5B8EFFF798038103D269B633813FC60C").trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert read_span(traceId="").trace_id == b""


@pytest.mark.parametrize("written", [1544712660000000000, "1544712660000000000", 1.54471266e18])
def test_integers_come_as_numbers_or_strings(written: object) -> None:
    assert read_span(startTimeUnixNano=written).start_time_unix_nano == 1544712660000000000


def test_enums_come_as_integers_known_or_not_and_names_are_tolerated() -> None:
    assert read_span(kind=2).kind == 2
    assert read_span(kind=77).kind == 77
    assert read_span(kind="SPAN_KIND_SERVER").kind == 2


def test_unknown_members_and_nulls_are_passed_over() -> None:
    assert read_span(name=None, fromTheFuture={"a": [1]}, kind=3).kind == 3


@pytest.mark.parametrize(("written", "meant"), [("NaN", math.nan), ("-Infinity", -math.inf), (3, 3.0), ("1e-3", 0.001)])
def test_doubles(written: object, meant: float) -> None:
    value = read_span(attributes=[{"key": "a", "value": {"doubleValue": written}}]).attributes[0].value
    assert value.WhichOneof("value") == "double_value"
    assert value.double_value == pytest.approx(meant, nan_ok=True)


@pytest.mark.parametrize("written", ["+/8=", "-_8=", "-_8", "+/8"])
def test_bytes_come_in_both_base64_alphabets(written: str) -> None:
    assert (
        read_span(attributes=[{"key": "a", "value": {"bytesValue": written}}]).attributes[0].value.bytes_value
        == b"\xfb\xff"
    )


def test_zeros_and_empty_values_stay_set() -> None:
    attributes = [
        {"key": "i", "value": {"intValue": "0"}},
        {"key": "s", "value": {"stringValue": ""}},
        {"key": "b", "value": {"boolValue": False}},
        {"key": "n", "value": {}},
    ]
    kinds = [a.value.WhichOneof("value") for a in read_span(attributes=attributes).attributes]
    assert kinds == ["int_value", "string_value", "bool_value", None]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"traceId": "xyz"}, "spans[1].traceId must be a string of hex digits"),
        ({"traceId": "abc"}, "spans[1].traceId must be a string of hex digits"),
        ({"traceId": 7}, "spans[1].traceId must be a string of hex digits, not an integer"),
        ({"startTimeUnixNano": "12x"}, "spans[1].startTimeUnixNano must be an integer"),
        ({"startTimeUnixNano": "1_0"}, "spans[1].startTimeUnixNano must be an integer"),
        ({"startTimeUnixNano": "٣"}, "spans[1].startTimeUnixNano must be an integer"),
        ({"startTimeUnixNano": -1}, "spans[1].startTimeUnixNano is out of range"),
        ({"startTimeUnixNano": 1.5}, "spans[1].startTimeUnixNano must be an integer"),
        ({"startTimeUnixNano": True}, "spans[1].startTimeUnixNano must be an integer or a string of decimal digits, not a boolean"),
        ({"kind": "SERVER"}, "spans[1].kind must be an integer"),
        ({"flags": 2**32}, "spans[1].flags is out of range"),
        ({"name": 5}, "spans[1].name must be a string, not an integer"),
        ({"attributes": {}}, "spans[1].attributes must be an array, not an object"),
        ({"attributes": [5]}, "spans[1].attributes[0] must be an object, not an integer"),
        ({"attributes": [{"key": "a"}, {"key": 5}]}, "spans[1].attributes[1].key must be a string"),
        (
            {"attributes": [{"key": "a", "value": {"intValue": "1.5"}}]},
            "spans[1].attributes[0].value.intValue must be an integer",
        ),
        (
            {"attributes": [{"key": "a", "value": {"intValue": "٣"}}]},
            "spans[1].attributes[0].value.intValue must be an integer",
        ),
        (
            {"attributes": [{"key": "a", "value": {"intValue": 1, "stringValue": "x"}}]},
            "value.stringValue stands beside another member of 'value'",
        ),
        ({"spanId": "", "span_id": ""}, "spans[1].span_id gives span_id twice"),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "!"}}]}, "value.bytesValue must be a string of base64"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_and_its_neighbours_stay(fields: dict[str, Any], complaint: str) -> None:
    converted = to_protobuf(TRACE_SERVICE, span(**fields))
    assert converted.unreadable == 1
    assert complaint in converted.fault
    assert converted.fault.startswith("resourceSpans[0].scopeSpans[0].spans[1].")
    request = ExportTraceServiceRequest.FromString(converted.body)
    assert [left.name for left in request.resource_spans[0].scope_spans[0].spans] == ["a"]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (
            {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}, {"name": 6}]}]}]},
            "spans[0].name must be a string",
        ),
        ({"resourceSpans": [{"scopeSpans": [{"spans": {"name": "a"}}]}]}, "scopeSpans[0].spans must be an array"),
        ({"resourceSpans": [{"schemaUrl": 5, "scopeSpans": [{"spans": [{}]}]}]}, "resourceSpans[0].schemaUrl must be"),
    ],
)
def test_a_document_of_which_nothing_is_left_is_refused(document: Any, complaint: str) -> None:
    with pytest.raises(MalformedTelemetry) as caught:
        to_protobuf(TRACE_SERVICE, orjson.dumps(document))
    assert complaint in caught.value.detail


def test_a_wrong_data_point_is_taken_out_alone() -> None:
    points = [{"asInt": "1"}, {"asInt": "one"}, {"as_int": 3}]
    metrics = [
        {"name": "g", "gauge": {"dataPoints": points}},
        {"name": "s", "sum": {"data_points": [{"asDouble": "x"}]}},
    ]
    body = orjson.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]})
    converted = to_protobuf(METRICS_SERVICE, body)
    assert converted.unreadable == 2
    assert "metrics[0].gauge.dataPoints[1].asInt must be an integer" in converted.fault
    read = ExportMetricsServiceRequest.FromString(converted.body).resource_metrics[0].scope_metrics[0].metrics
    assert [point.as_int for point in read[0].gauge.data_points] == [1, 3]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\uDE00 cut", "\ufffd cut"),
        (r"whole \ud83d\ude00, cut \ud83d", "whole \U0001f600, cut \ufffd"),
        (r"cut \ud83d, escaped \\ud83d", "cut \ufffd, escaped \\ud83d"),
        (r"cut twice \ud83d\ud83d\ude00", "cut twice \ufffd\U0001f600"),
    ],
)
def test_half_a_surrogate_pair_becomes_the_replacement_character(written: str, meant: str) -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"%s"}]}]}]}' % written.encode()
    request = ExportTraceServiceRequest.FromString(to_protobuf(TRACE_SERVICE, body).body)
    assert request.resource_spans[0].scope_spans[0].spans[0].name == meant


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":NaN}', b'{"a":\xff}', b'{"a":"\\ud800'])
def test_what_is_not_json_is_called_so(body: bytes) -> None:
    with pytest.raises(MalformedTelemetry, match="The body is not JSON"):
        to_protobuf(TRACE_SERVICE, body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"x"'])
def test_the_document_must_be_an_object(body: bytes) -> None:
    with pytest.raises(MalformedTelemetry, match="the document must be an object"):
        to_protobuf(TRACE_SERVICE, body)


@pytest.mark.parametrize("depth", [60, 300])
def test_a_record_with_values_nested_too_deep_is_taken_out(depth: int) -> None:
    converted = to_protobuf(TRACE_SERVICE, deep_span(depth))
    assert converted.unreadable == 1
    assert "nested deeper than 100" in converted.fault


def test_a_document_too_deep_to_be_read_is_refused() -> None:
    with pytest.raises(MalformedTelemetry, match="depth limit"):
        to_protobuf(TRACE_SERVICE, deep_span(5000))


def deep_span(depth: int) -> bytes:
    value = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
    return span(attributes=[{"key": "a", "value": "V"}]).replace(b'"V"', value)


def test_unset_histogram_statistics_stay_unset() -> None:
    body = orjson.dumps(
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "h", "histogram": {"dataPoints": [{"count": "2", "sum": 0, "bucketCounts": ["1", 1]}]}}
        ]}]}]}
    )  # fmt: skip
    request = ExportMetricsServiceRequest.FromString(to_protobuf(METRICS_SERVICE, body).body)
    point = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    assert point.HasField("sum")
    assert not point.HasField("min")
    assert list(point.bucket_counts) == [1, 1]


def attribute(value: Any) -> bytes:
    """One span with one attribute of this value."""
    span = {"traceId": "74" * 16, "spanId": "73" * 8, "attributes": [{"key": "k", "value": value}]}
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e3", 1000),
        ("7.0", 7),
        ("-7.00E+1", -70),
        ("9.223372036854775807e18", 2**63 - 1),
        ("9007199254740993.0", 9007199254740993),
        (1e3, 1000),
        (-0.0, 0),
        ("-0", 0),
    ],
)
def test_whole_numbers_may_be_written_in_every_form_of_json(written: Any, meant: int) -> None:
    request = ExportTraceServiceRequest.FromString(to_protobuf(TRACE_SERVICE, attribute({"intValue": written})).body)
    assert request.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.int_value == meant


@pytest.mark.parametrize("written", ["7.5", "1e-1", "1e99", "1e999999999", "+7", " 7", "0x10", "", "NaN", "9.3e18"])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    with pytest.raises(MalformedTelemetry, match="intValue (must be an integer|is out of range)"):
        to_protobuf(TRACE_SERVICE, attribute({"intValue": written}))


@pytest.mark.parametrize("written", ["true", "null", "[1]", "1 2", ""])
def test_a_quoted_double_is_a_number(written: str) -> None:
    with pytest.raises(MalformedTelemetry, match="doubleValue must be a number"):
        to_protobuf(TRACE_SERVICE, attribute({"doubleValue": written}))


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    body = attribute({"stringValue": "v"})
    assert to_protobuf(TRACE_SERVICE, b"\xef\xbb\xbf" + body) == to_protobuf(TRACE_SERVICE, body)
    with pytest.raises(MalformedTelemetry, match="looks like UTF-16"):
        to_protobuf(TRACE_SERVICE, body.decode().encode("utf-16"))


def test_bytes_that_are_no_utf_8_cost_only_their_own_record() -> None:
    spans = b",".join(
        b'{"name":"%s"}' % name for name in (b"good", b"b\xffd \\ud83d", "한글".encode(), b"cut \xed\x95")
    )
    converted = to_protobuf(TRACE_SERVICE, b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % spans)
    request = ExportTraceServiceRequest.FromString(converted.body)
    assert [span.name for span in request.resource_spans[0].scope_spans[0].spans] == ["good", "한글"]
    assert converted.unreadable == 2
    assert converted.fault.endswith("spans[1].name must be a string, not text that is not valid UTF-8")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"resourceLogs": []}, "'resourceLogs' belongs to /v1/logs. /v1/traces takes 'resourceSpans'"),
        ({"resource_metrics": []}, "'resource_metrics' belongs to /v1/metrics"),
        ({"resourceSpanz": [1]}, "ExportTraceServiceRequest has no member 'resourceSpanz'"),
    ],
)
def test_a_document_of_which_nothing_is_taken_is_refused(document: Any, says: str) -> None:
    with pytest.raises(MalformedTelemetry) as caught:
        to_protobuf(TRACE_SERVICE, orjson.dumps(document))
    assert says in caught.value.detail


def test_what_is_not_taken_is_said() -> None:
    document = {
        "resourceSpans": [
            {"instrumentationLibrarySpans": [{"spans": [{}, {}]}, {"spans": [{}]}]},
            {"instrumentation_library_spans": [{"spans": [{}]}, None], "scopeSpans": []},
        ],
        "resourceLogs": [],
    }
    converted = to_protobuf(TRACE_SERVICE, orjson.dumps(document))
    assert converted.untaken == "'resourceLogs' belongs to /v1/logs; it was not taken."
    assert converted.legacy == 4
    assert to_protobuf(TRACE_SERVICE, b"{}")[1:] == (0, "", "", 0, True)
