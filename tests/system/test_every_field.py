"""Whatever OTLP can say is read back through the gateway as it was sent, over every protocol."""

import asyncio
import base64
import itertools
import math
import struct
import time
from collections.abc import Iterable
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.fixtures.installation import Installation

NOW = time.time_ns()
PATHS = {
    ExportTraceServiceRequest: ("/v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ExportLogsServiceRequest: ("/v1/logs", "opentelemetry.proto.collector.logs.v1.LogsService/Export"),
    ExportMetricsServiceRequest: ("/v1/metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
}

# --- what may be sent

TEXT = st.text(max_size=12)
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
DOUBLES = st.floats(width=64, allow_nan=True, allow_infinity=True)
SCALARS = st.one_of(
    st.builds(lambda v: AnyValue(string_value=v), TEXT),
    st.builds(lambda v: AnyValue(bool_value=v), st.booleans()),
    st.builds(lambda v: AnyValue(int_value=v), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda v: AnyValue(double_value=v), DOUBLES),
    st.builds(lambda v: AnyValue(bytes_value=v), st.binary(max_size=8)),
    st.just(AnyValue()),
)


def _array(values: list[AnyValue]) -> AnyValue:
    value = AnyValue()
    value.array_value.SetInParent()
    value.array_value.values.extend(values)
    return value


def _kvlist(values: dict[str, AnyValue]) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.SetInParent()
    value.kvlist_value.values.extend(KeyValue(key=k, value=v) for k, v in values.items())
    return value


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_array), st.dictionaries(TEXT, inner, max_size=3).map(_kvlist)
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=6).map(
    lambda found: [KeyValue(key=key, value=value) for key, value in found.items()]
)
TIMES = st.one_of(st.just(NOW), st.integers(NOW - 10**12, NOW), U64)
IDS16 = st.binary(min_size=16, max_size=16).filter(any)
# Drawn ids repeat between cases; the engine keeps them all.
SPAN_IDS = (number.to_bytes(8, "big") for number in itertools.count(1))
TRACE_IDS = (number.to_bytes(16, "big") for number in itertools.count(1))
IDS8 = st.binary(min_size=8, max_size=8).filter(any)


@st.composite
def traces(draw: st.DrawFn) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    trace_id = next(TRACE_IDS)
    for _ in range(draw(st.integers(1, 2))):
        resource = request.resource_spans.add(schema_url=draw(TEXT))
        resource.resource.attributes.extend(draw(ATTRIBUTES))
        resource.resource.dropped_attributes_count = draw(U32)
        scoped = resource.scope_spans.add(schema_url=draw(TEXT))
        scoped.scope.name, scoped.scope.version = draw(TEXT), draw(TEXT)
        scoped.scope.attributes.extend(draw(ATTRIBUTES))
        scoped.scope.dropped_attributes_count = draw(U32)
        for _ in range(draw(st.integers(1, 2))):
            span = scoped.spans.add(
                trace_id=trace_id, span_id=next(SPAN_IDS), parent_span_id=draw(st.one_of(st.just(b""), IDS8)),
                trace_state=draw(TEXT), flags=draw(U32), name=draw(TEXT), kind=draw(st.integers(0, 5)),
                start_time_unix_nano=draw(TIMES), end_time_unix_nano=draw(TIMES), attributes=draw(ATTRIBUTES),
                dropped_attributes_count=draw(U32), dropped_events_count=draw(U32), dropped_links_count=draw(U32),
            )  # fmt: skip
            span.status.code, span.status.message = draw(st.integers(0, 2)), draw(TEXT)
            for _ in range(draw(st.integers(0, 2))):
                span.events.add(
                    time_unix_nano=draw(U64),
                    name=draw(TEXT),
                    attributes=draw(ATTRIBUTES),
                    dropped_attributes_count=draw(U32),
                )
                span.links.add(
                    trace_id=draw(IDS16), span_id=draw(IDS8), trace_state=draw(TEXT), attributes=draw(ATTRIBUTES),
                    dropped_attributes_count=draw(U32), flags=draw(U32),
                )  # fmt: skip
    return request


@st.composite
def logs(draw: st.DrawFn) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url=draw(TEXT))
    resource.resource.attributes.extend(draw(ATTRIBUTES))
    scoped = resource.scope_logs.add(schema_url=draw(TEXT))
    scoped.scope.name = draw(TEXT)
    for _ in range(draw(st.integers(1, 3))):
        record = scoped.log_records.add(
            time_unix_nano=draw(st.one_of(st.just(0), TIMES)), observed_time_unix_nano=draw(TIMES),
            severity_number=draw(st.integers(0, 24)), severity_text=draw(TEXT), attributes=draw(ATTRIBUTES),
            dropped_attributes_count=draw(U32), flags=draw(U32), event_name=draw(TEXT),
            trace_id=draw(st.one_of(st.just(b""), IDS16)), span_id=draw(st.one_of(st.just(b""), IDS8)),
        )  # fmt: skip
        if draw(st.booleans()):
            record.body.CopyFrom(draw(VALUES))
    return request


@st.composite
def metrics(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add(schema_url=draw(TEXT))
    resource.resource.attributes.extend(draw(ATTRIBUTES))
    scoped = resource.scope_metrics.add(schema_url=draw(TEXT))
    scoped.scope.name = draw(TEXT)
    metric = scoped.metrics.add(description=draw(TEXT), unit=draw(TEXT))
    kind = draw(st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram", "summary"]))
    data = getattr(metric, kind)
    if kind in {"sum", "histogram", "exponential_histogram"}:
        data.aggregation_temporality = draw(st.integers(0, 2))
    if kind == "sum":
        data.is_monotonic = draw(st.booleans())
    point = data.data_points.add(
        start_time_unix_nano=draw(U64), time_unix_nano=draw(TIMES), attributes=draw(ATTRIBUTES), flags=draw(U32)
    )
    if kind in {"gauge", "sum"}:
        match draw(st.integers(0, 2)):
            case 0:
                point.as_int = draw(st.integers(-(2**63), 2**63 - 1))
            case 1:
                point.as_double = draw(DOUBLES)
            case _:
                point.flags |= 1  # NO_RECORDED_VALUE; without it OTLP calls the point invalid
    else:
        point.count = draw(U64)
    if kind in {"histogram", "exponential_histogram"}:
        for optional in ("sum", "min", "max"):
            if draw(st.booleans()):
                setattr(point, optional, draw(DOUBLES))
    if kind == "histogram":
        point.bucket_counts.extend(draw(st.lists(U64, max_size=4)))
        point.explicit_bounds.extend(draw(st.lists(DOUBLES, max_size=3)))
    if kind == "exponential_histogram":
        point.scale, point.zero_count = draw(st.integers(-10, 20)), draw(U64)
        point.zero_threshold = draw(DOUBLES)
        for side in (point.positive, point.negative):
            side.offset = draw(st.integers(-(2**31), 2**31 - 1))
            side.bucket_counts.extend(draw(st.lists(U64, max_size=4)))
    if kind == "summary":
        point.sum = draw(DOUBLES)
        for _ in range(draw(st.integers(0, 2))):
            point.quantile_values.add(quantile=draw(st.floats(0, 1)), value=draw(DOUBLES))
    elif draw(st.booleans()):
        exemplar = point.exemplars.add(
            time_unix_nano=draw(U64), trace_id=draw(IDS16), span_id=draw(IDS8), filtered_attributes=draw(ATTRIBUTES)
        )
        exemplar.as_int = draw(st.integers(-(2**63), 2**63 - 1))
    return request


# --- what must come back: an independent reading of decision 0008


def double(value: float) -> Any:
    return value if math.isfinite(value) else ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")


def value_form(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value if abs(value.int_value) <= 2**53 - 1 else {"$int": str(value.int_value)}
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else {"$double": double(value.double_value)}
        case "bytes_value":
            return {"$bytes": base64.b64encode(value.bytes_value).decode()}
        case "array_value":
            return [value_form(item) for item in value.array_value.values]
        case "kvlist_value":
            return attributes_form(value.kvlist_value.values)
        case _:
            return None


def attributes_form(pairs: Iterable[KeyValue]) -> Any:
    found = [(pair.key, value_form(pair.value)) for pair in pairs]
    if any(key.startswith("$") for key, _ in found) or len({key for key, _ in found}) < len(found):
        return {"$kvlist": [[key, value] for key, value in found]}
    return dict(found)


def same(sent: Any, got: Any) -> bool:
    """Equality that tells 1 from 1.0 and true, -0.0 from 0.0."""
    if type(sent) is not type(got):
        return False
    if isinstance(sent, float):
        return struct.pack("d", sent) == struct.pack("d", got)
    if isinstance(sent, dict):
        if sent.keys() == got.keys() == {"$kvlist"}:
            return same(sorted(sent["$kvlist"], key=repr), sorted(got["$kvlist"], key=repr))
        return sent.keys() == got.keys() and all(same(sent[key], got[key]) for key in sent)
    if isinstance(sent, list):
        return len(sent) == len(got) and all(map(same, sent, got))
    return bool(sent == got)


def assert_same(sent: dict[str, Any], got: dict[str, Any]) -> None:
    different = {key: (value, got.get(key, "absent")) for key, value in sent.items() if not same(value, got.get(key))}
    assert different == {}


# --- sending


def otlp_json(message: Message) -> Any:
    """OTLP/JSON: proto3 JSON but for ids in hex and enums as numbers (opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding)."""

    def fix(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(inner).hex() if key in {"traceId", "spanId", "parentSpanId"} else fix(inner)
                for key, inner in value.items()
            }
        return [fix(item) for item in value] if isinstance(value, list) else value

    return fix(MessageToDict(message, use_integers_for_enums=True))


def send(installation: Installation, request: Message, protocol: str) -> None:
    path, method = PATHS[type(request)]
    if protocol == "grpc":
        with grpc.insecure_channel(installation.layout.otlp_grpc) as channel:
            call = channel.unary_unary(f"/{method}", request_serializer=None, response_deserializer=None)
            call(
                request.SerializeToString(),
                metadata=[("authorization", installation.authorization["Authorization"])],
                timeout=15,
            )
        return
    url = f"{installation.layout.otlp_http_url}{path}"
    if protocol == "json":
        answer = httpx.post(url, json=otlp_json(request), headers=installation.authorization, timeout=15)
    else:
        headers = {**installation.authorization, "Content-Type": "application/x-protobuf"}
        answer = httpx.post(url, content=request.SerializeToString(), headers=headers, timeout=15)
    assert answer.status_code == 200, answer.text
    assert b"reject" not in answer.content, answer.text


async def eventually(question: Any, enough: Any) -> Any:
    async with asyncio.timeout(20):
        while not enough(found := await question()):
            await asyncio.sleep(0.1)
        return found


def serviced(request: Any, marker: str) -> Any:
    """The request with a service name nobody else uses."""
    for name in ("resource_spans", "resource_logs", "resource_metrics"):
        for resource in getattr(request, name, ()):
            kept = [pair for pair in resource.resource.attributes if pair.key != "service.name"]
            del resource.resource.attributes[:]
            resource.resource.attributes.extend(kept)
            resource.resource.attributes.add(key="service.name").value.string_value = marker
    return request


CASES = settings(
    max_examples=25, deadline=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)  # fmt: skip
PROTOCOLS = st.sampled_from(["protobuf", "json", "grpc"])


@pytest.mark.timeout(300)
@CASES
@given(request_=traces(), protocol=PROTOCOLS)
def test_spans(installation: Installation, request_: ExportTraceServiceRequest, protocol: str) -> None:
    marker = f"fields-{time.time_ns()}"
    send(installation, serviced(request_, marker), protocol)
    sent = {}
    for resource in request_.resource_spans:
        for scoped in resource.scope_spans:
            for span in scoped.spans:
                sent[span.span_id.hex()] = {
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_span_id": span.parent_span_id.hex(),
                    "trace_state": span.trace_state,
                    "flags": span.flags,
                    "name": span.name,
                    "kind": ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][span.kind],
                    "service": marker,
                    "start_time_unix_nano": str(span.start_time_unix_nano),
                    "end_time_unix_nano": str(span.end_time_unix_nano),
                    "attributes": attributes_form(span.attributes),
                    "dropped_attributes_count": span.dropped_attributes_count,
                    "events": [
                        {
                            "time_unix_nano": str(event.time_unix_nano),
                            "name": event.name,
                            "attributes": attributes_form(event.attributes),
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
                            "attributes": attributes_form(link.attributes),
                            "dropped_attributes_count": link.dropped_attributes_count,
                            "flags": link.flags,
                        }
                        for link in span.links
                    ],
                    "dropped_links_count": span.dropped_links_count,
                    "status": {"code": ["UNSET", "OK", "ERROR"][span.status.code], "message": span.status.message},
                    "resource_attributes": attributes_form(resource.resource.attributes),
                    "resource_dropped_attributes_count": resource.resource.dropped_attributes_count,
                    "resource_schema_url": resource.schema_url,
                    "scope": {
                        "name": scoped.scope.name,
                        "version": scoped.scope.version,
                        "attributes": attributes_form(scoped.scope.attributes),
                        "dropped_attributes_count": scoped.scope.dropped_attributes_count,
                    },
                    "scope_schema_url": scoped.schema_url,
                }
    trace_id = next(iter(sent.values()))["trace_id"]

    async def question() -> Any:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            answer = await client.get(
                f"{installation.layout.gateway_url}/api/v1/traces/{trace_id}", headers=installation.authorization
            )
            return answer.json()["spans"] if answer.status_code == 200 else []

    got = asyncio.run(eventually(question, lambda spans: len(spans) >= len(sent)))
    assert len(got) == len(sent)
    for span in got:
        assert_same(sent[span["span_id"]], span)


@pytest.mark.timeout(300)
@CASES
@given(request_=logs(), protocol=PROTOCOLS)
def test_log_records(installation: Installation, request_: ExportLogsServiceRequest, protocol: str) -> None:
    marker = f"fields-{time.time_ns()}"
    send(installation, serviced(request_, marker), protocol)
    resource = request_.resource_logs[0]
    sent = [
        {
            "time_unix_nano": str(record.time_unix_nano),
            "observed_time_unix_nano": str(record.observed_time_unix_nano),
            "severity_number": record.severity_number,
            "severity_text": record.severity_text,
            "body": value_form(record.body),
            "attributes": attributes_form(record.attributes),
            "dropped_attributes_count": record.dropped_attributes_count,
            "flags": record.flags,
            "trace_id": record.trace_id.hex(),
            "span_id": record.span_id.hex(),
            "event_name": record.event_name,
            "service": marker,
            "resource_attributes": attributes_form(resource.resource.attributes),
            "resource_schema_url": resource.schema_url,
            "scope_schema_url": resource.scope_logs[0].schema_url,
        }
        for record in resource.scope_logs[0].log_records
    ]
    span = {"from": str(NOW - 2 * 10**12), "to": str(time.time_ns() + 10**12)}

    async def question() -> Any:
        return (await installation.api("/logs", query=f"service={marker}", **span))["logs"]

    got = asyncio.run(eventually(question, lambda found: len(found) >= len(sent)))
    assert len(got) == len(sent)
    for record in sent:
        assert any(all(same(value, other.get(key)) for key, value in record.items()) for other in got), (record, got)


@pytest.mark.timeout(300)
@CASES
@given(request_=metrics(), protocol=PROTOCOLS)
def test_metric_points(installation: Installation, request_: ExportMetricsServiceRequest, protocol: str) -> None:
    marker = f"fields-{time.time_ns()}"
    metric = request_.resource_metrics[0].scope_metrics[0].metrics[0]
    metric.name = marker
    send(installation, serviced(request_, marker), protocol)
    kind = metric.WhichOneof("data")
    point = getattr(metric, kind).data_points[0]
    sent: dict[str, Any] = {
        "start_time_unix_nano": str(point.start_time_unix_nano),
        "time_unix_nano": str(point.time_unix_nano),
        "flags": point.flags,
    }
    if kind in {"gauge", "sum"}:
        if (which := point.WhichOneof("value")) == "as_int":
            sent["as_int"] = str(point.as_int)
        elif which:
            sent["as_double"] = double(point.as_double)
    else:
        sent["count"] = str(point.count)
    if kind in {"histogram", "exponential_histogram"}:
        sent |= {name: double(getattr(point, name)) for name in ("sum", "min", "max") if point.HasField(name)}
    if kind == "histogram":
        sent["bucket_counts"] = [str(count) for count in point.bucket_counts]
        sent["explicit_bounds"] = [double(bound) for bound in point.explicit_bounds]
    if kind == "exponential_histogram":
        sent |= {
            "scale": point.scale,
            "zero_count": str(point.zero_count),
            "zero_threshold": double(point.zero_threshold),
        }
        for side in ("positive", "negative"):
            buckets = getattr(point, side)
            sent[side] = {"offset": buckets.offset, "bucket_counts": [str(count) for count in buckets.bucket_counts]}
    if kind == "summary":
        sent["sum"] = double(point.sum)
        sent["quantile_values"] = [{"quantile": v.quantile, "value": double(v.value)} for v in point.quantile_values]
    elif point.exemplars:
        exemplar = point.exemplars[0]
        sent["exemplars"] = [
            {
                "time_unix_nano": str(exemplar.time_unix_nano),
                "as_int": str(exemplar.as_int),
                "trace_id": exemplar.trace_id.hex(),
                "span_id": exemplar.span_id.hex(),
                "filtered_attributes": attributes_form(exemplar.filtered_attributes),
            }
        ]
    span = {"from": str(NOW - 2 * 10**12), "to": str(time.time_ns() + 10**12)}

    async def question() -> Any:
        found = await installation.api("/metrics", service=marker, **span)
        if not found["metrics"]:
            return None
        return found["metrics"][0], await installation.api(f"/metrics/{marker}", service=marker, **span)

    listed, detail = asyncio.run(eventually(question, lambda found: found and found[1]["series"]))
    data = getattr(metric, kind)
    temporality = ["UNSPECIFIED", "DELTA", "CUMULATIVE"][getattr(data, "aggregation_temporality", 0)]
    catalogue = {
        "name": marker,
        "type": kind,
        "unit": metric.unit,
        "description": metric.description,
        "temporality": temporality,
        "monotonic": getattr(data, "is_monotonic", False),
    }
    assert_same(catalogue, listed)
    (series,) = detail["series"]
    assert same(attributes_form(point.attributes), series["attributes"])
    assert same(attributes_form(request_.resource_metrics[0].resource.attributes), series["resource_attributes"])
    (got,) = series["points"]
    assert_same(sent, got)
    absent = {"as_int", "as_double", "count", "sum", "min", "max"} - sent.keys()
    assert {name for name in absent if name in got} == set()
