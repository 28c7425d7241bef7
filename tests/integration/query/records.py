"""Random spans and log records over few keys and values, so that random queries hit some of them."""

import random
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

KEYS = ("a", "b", "x y", "status", "한국", "m", "service.name")
STRINGS = ("", "a", "A", "b c", "200", "5.5", "true", "결제 실패", "line\nbreak", "back\\slash", "quo\"te's")
INTS = (0, 1, -1, 5, 200, 500, 2**53 + 1, -(2**63), 2**63 - 1)
DOUBLES = (0.0, 0.5, 5.0, 5.5, -1.5, 200.0, 1e300, float("inf"), float("nan"))
NAMES = ("", "GET /cart", "get /Cart (v2)", "결제", "Straße", "a", "cafe\u0301", "café")
BODIES = (
    42, 1.5, True, ["결제", "GET", 7], {"guid": "x", "n": 503, "deep": {"ok": False}},
    '{"order": {"id": 7, "tags": ["a", "b"], "price": 1.5}, "ok": true, "guid": "x"}', '{"n": "503", "order": {"id": "7"}}',
)  # fmt: skip
MAPS = ({"sub": "deep", "n": 7}, {"sub": "café", "n": True}, {"n": [1, "a"]})
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
    body = chance.choice((*NAMES, *BODIES, ABSENT))
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
            "event_attributes": chance.choice(({}, {"a": "b c"}, {"a": 5, "status": [1, "a"]})),
            "severity": number,
            "severity_text": chance.choice(("", "INFO", "ERROR", "warn", "Warning")),
            "body": body,
            "event_name": chance.choice(("", "user.login")),
        },
    )


def _attributes(chance: random.Random) -> dict[str, Any]:
    kinds = (STRINGS, STRINGS, INTS, DOUBLES, (True, False), (None, [1, "a"], ["200", 5.5, True, -1]))
    values = {key: chance.choice(chance.choice(kinds)) for key in KEYS[:-2] if chance.random() < 0.5}
    return values | ({"m": chance.choice(MAPS)} if chance.random() < 0.4 else {})


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
    elif isinstance(value, dict):
        message.kvlist_value.SetInParent()
        fill_attributes(message.kvlist_value.values, value)


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
            fill_attributes(span.events.add(name=name).attributes, values["event_attributes"])
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
