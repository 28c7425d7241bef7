"""The benchmarks' hand-made encoder speaks the protocol: the official messages read it and find nothing unknown."""

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks import telemetry

START = 1_700_000_000_000_000_000
SECOND = 10**9


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ExportTraceServiceRequest, telemetry.one_service_request(7, 200, START)),
        (ExportTraceServiceRequest, telemetry.shop_requests(7, 200, START, SECOND)[0][0]),
        (ExportLogsServiceRequest, telemetry.shop_logs(7, 2000, START, SECOND)),
        (ExportMetricsServiceRequest, telemetry.shop_metrics(7, START, SECOND)),
    ],
)
def test_official_messages_read_it(kind: type[Message], body: bytes) -> None:
    message = kind.FromString(body)
    message.DiscardUnknownFields()
    assert len(message.SerializeToString()) == len(body), "no field is unknown, doubled or written at length"


def test_traces_are_whole_and_counted() -> None:
    requests = telemetry.shop_requests(3, 50, START, SECOND)
    parents: dict[bytes, dict[bytes, bytes]] = {}
    for payload, count in requests:
        spans = [
            span
            for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        assert len(spans) == count
        for span in spans:
            assert START <= span.start_time_unix_nano < START + 2 * SECOND
            parents.setdefault(span.trace_id, {})[span.span_id] = span.parent_span_id
    assert len(parents) == 50
    for trace in parents.values():
        assert len(trace) == telemetry.SPANS_OF_TRACE
        assert sum(parent == b"" for parent in trace.values()) == 1
        assert all(parent in trace for parent in trace.values() if parent)


def test_seeds_make_different_requests_and_the_same_again() -> None:
    assert telemetry.one_service_request(1, 10, START) == telemetry.one_service_request(1, 10, START)
    assert len(set(telemetry.varied_requests(20, 10, START))) == 20
