"""Random spans and log records over few keys and values, so that random queries hit some of them."""

import random
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

KEYS = ("a", "b", "x y", "status", "한국", "service.name")
STRINGS = ("", "a", "A", "b c", "200", "5.5", "true", "결제 실패", "line\nbreak", "back\\slash", "quo\"te's")
INTS = (0, 1, -1, 5, 200, 500, 2**53 + 1, -(2**63), 2**63 - 1)
DOUBLES = (0.0, 0.5, 5.0, 5.5, -1.5, 200.0, 1e300, float("inf"), float("nan"))
NAMES = ("", "GET /cart", "get /Cart (v2)", "결제", "Straße", "a")
SERVICES = ("", "checkout", "cart", "한국")
ABSENT = object()


@dataclass
class Sample:
    """One record as its sender knows it; attribute values are str, int, float, bool, None (no value) or a list."""

    index: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope_name: str
    scope_version: str
    fields: dict[str, Any] = field(default_factory=dict)


def samples(count: int, seed: int = 7) -> list[Sample]:
    """Spans, log records and data points in one: `fields` holds what each of them needs."""
    chance = random.Random(seed)
    resources = [_attributes(chance) | _service(chance) for _ in range(12)]
    return [_sample(index, chance, resources) for index in range(count)]


def _sample(index: int, chance: random.Random, resources: list[dict[str, Any]]) -> Sample:
    number = chance.choice((0, 1, 5, 9, 10, 13, 17, 18, 20, 21, 24))
    body = chance.choice((*NAMES, ABSENT, 42, ["결제", "GET"]))
    return Sample(
        index,
        _attributes(chance),
        chance.choice(resources),
        chance.choice(("", "lib.a", "lib.b")),
        chance.choice(("", "1.0")),
        {
            "name": chance.choice(NAMES),
            "duration": chance.choice((0, 1, 1500, 10**6, 10**9, 90 * 10**9)),
            "status": chance.choice((0, 1, 2)),
            "status_message": chance.choice(("", "boom")),
            "kind": chance.choice((0, 1, 2, 3, 4, 5)),
            "trace_id": bytes([chance.choice((0xAB, 0xCD))]) * 16,
            "span_id": index.to_bytes(8, "big"),
            "parent_span_id": chance.choice((b"", b"\x01" * 8)),
            "events": chance.choice(((), ("exception",), ("retry", "exception"))),
            "severity": number,
            "severity_text": chance.choice(("", "INFO", "ERROR")),
            "body": body,
            "event_name": chance.choice(("", "user.login")),
        },
    )


def _attributes(chance: random.Random) -> dict[str, Any]:
    kinds = (STRINGS, STRINGS, INTS, DOUBLES, (True, False), (None, [1, "a"]))
    return {key: chance.choice(chance.choice(kinds)) for key in KEYS[:-1] if chance.random() < 0.5}


def _service(chance: random.Random) -> dict[str, str]:
    service = chance.choice(SERVICES)
    return {"service.name": service} if service else {}


def fill(message: AnyValue, value: Any) -> None:
    """Set an AnyValue; None leaves it without a value."""
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, list):
        message.array_value.SetInParent()
        for item in value:
            fill(message.array_value.values.add(), item)


def fill_attributes(target: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        entry = target.add(key=key)
        entry.value.SetInParent()
        fill(entry.value, value)


def traces(records: list[Sample], time: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for record in records:
        scoped = _scope(request.resource_spans.add(), "scope_spans", record)
        values = record.fields
        span = scoped.spans.add(
            trace_id=values["trace_id"],
            span_id=values["span_id"],
            parent_span_id=values["parent_span_id"],
            name=values["name"],
            kind=values["kind"],
            start_time_unix_nano=time,
            end_time_unix_nano=time + values["duration"],
        )
        span.status.code = values["status"]
        span.status.message = values["status_message"]
        for name in values["events"]:
            span.events.add(name=name)
        fill_attributes(span.attributes, record.attributes)
    return request


def logs(records: list[Sample], time: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for record in records:
        scoped = _scope(request.resource_logs.add(), "scope_logs", record)
        values = record.fields
        entry = scoped.log_records.add(
            time_unix_nano=time,
            severity_number=values["severity"],
            severity_text=values["severity_text"],
            trace_id=values["trace_id"],
            span_id=values["span_id"],
            event_name=values["event_name"],
        )
        if values["body"] is not ABSENT:
            fill(entry.body, values["body"])
        fill_attributes(entry.attributes, record.attributes)
    return request


def metrics(records: list[Sample], time: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    for record in records:
        scoped = _scope(request.resource_metrics.add(), "scope_metrics", record)
        point = scoped.metrics.add(name="m").gauge.data_points.add(time_unix_nano=time, as_int=record.index)
        fill_attributes(point.attributes, record.attributes)
    return request


def _scope(resourced: Any, field_name: str, record: Sample) -> Any:
    fill_attributes(resourced.resource.attributes, record.resource)
    scoped = getattr(resourced, field_name).add()
    scoped.scope.name = record.scope_name
    scoped.scope.version = record.scope_version
    return scoped
