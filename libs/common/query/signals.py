"""What a signal is, in one place: its table, its built-in fields, its attributes and their scopes, and what counts as an error.

The compiler, completion, the API's description and docs/query-language.md all read it; adding a signal is adding an entry.
Nothing of the caller's is in here: every SQL fragment is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from libs.common.query.ast import Scope
from libs.common.query.attributes import AttributeMaps
from libs.common.query.fields import (
    BodyField,
    DurationField,
    EnumField,
    Field,
    IdField,
    NumberField,
    SeverityField,
    TextField,
    TextsField,
)


class Signal(StrEnum):
    """What a question counts. A condition on `traces` is one on their spans, and may be one on whole traces."""

    SPANS = "spans"
    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Nested:
    """A scope of which a record has several, such as the events of a span: `array` of tuples, attributes in two maps."""

    array: str
    maps: AttributeMaps


@dataclass(frozen=True, slots=True)
class SignalDefinition:
    """`row` is what one row is called, in the plural. `error` says of a row that it is an error.

    `bucket` is the function of time in the sort key; without a condition on it a read is not pruned. `text` is searched by
    bare words, `folded_text` is the indexed expression of it, `structured_text` holds such texts behind a tag byte. `series` is a
    relation with what rows share, joined by their `series`. `own_scope` is the prefix that means the record itself.
    `nested` scopes are those with several entries in a row. `listing` are the fields that a question without aggregates shows.
    """

    signal: Signal
    table: str
    row: str
    bucket: str
    fields: Mapping[str, Field]
    attributes: AttributeMaps
    error: str | None
    entry: str | None = None
    text: str | None = None
    structured_text: str | None = None
    folded_text: str | None = None
    series: str | None = None
    own_scope: Scope | None = None
    nested: Mapping[Scope, Nested] = field(default_factory=dict)
    listing: tuple[str, ...] = ()
    rollups: tuple[str, ...] = ()

    def window(self, start: str = "from", end: str = "to") -> str:
        """The condition on tenant and time that every read of the table begins with; binds `tenant`, `start` and `end`."""
        low, high = (f"fromUnixTimestamp64Nano({{{name}:Int64}}, 'UTC')" for name in (start, end))
        return (
            f"tenant = {{tenant:String}} AND time >= {low} AND time < {high} "
            f"AND {self.bucket}(time) BETWEEN {self.bucket}({low}) AND {self.bucket}({high})"
        )


KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
_NUMBERED = AttributeMaps("attributes_string", "attributes_other", "attributes_int", "attributes_double")
_TAGGED = AttributeMaps("attributes_string", "attributes_other")
RESOURCE = AttributeMaps("resource_string", "resource_other")
SCOPE = AttributeMaps("scope_string", "scope_other")
# What the points of a series share, once each: labels, unit, scope. A series is stored before its points are.
_SERIES_COLUMNS = (
    "unit",
    "attributes_string",
    "attributes_other",
    "scope_name",
    "scope_version",
    "scope_string",
    "scope_other",
)
_SERIES = (
    f"(SELECT series, {', '.join(f'any(metric_series.{column}) AS {column}' for column in _SERIES_COLUMNS)} FROM metric_series "
    "WHERE tenant = {tenant:String} AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) "
    "AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC')) GROUP BY series)"
)
_SERVICE = TextField("service", "Resource attribute service.name.", listed=True)
_COMMON: Mapping[str, Field] = {
    "service": _SERVICE,
    "service.name": _SERVICE,
    "scope.name": TextField("scope_name", "Instrumentation scope.", listed=True),
    "scope.version": TextField("scope_version", "Version of the instrumentation scope.", listed=True),
}
_OPERATION = TextField("name", "Span name.", listed=True)
_SPAN_FIELDS: Mapping[str, Field] = {
    **_COMMON,
    "operation": _OPERATION,
    "name": _OPERATION,
    "duration": DurationField("duration_nano", "From start to end."),
    "status": EnumField("status_code", "Status code.", listed=True, names=STATUSES),
    "status_message": TextField("status_message", "What the status says.", listed=True),
    "kind": EnumField("kind", "Span kind.", listed=True, names=KINDS),
    "trace_id": IdField("trace_id", "Trace id in hex.", digits=32),
    "span_id": IdField("span_id", "Span id in hex.", digits=16),
    "parent_span_id": IdField("parent_span_id", "Span id of the parent; absent for a root.", digits=16),
    "event.name": TextsField("events.name", "Names of the span's events."),
    "link.trace_id": TextsField("arrayMap(x -> lower(hex(x)), links.trace_id)", "Trace ids of the span's links."),
}
# Of a whole trace: columns of the relation that plan.py makes of its spans.
TRACE_FIELDS: Mapping[str, Field] = {
    "root.service": TextField(
        "root_service", "Service of the root: the span whose parent is not in the trace.", listed=True
    ),
    "root.operation": TextField("root_operation", "Name of the root span.", listed=True),
    "trace.duration": DurationField("trace_duration", "From the earliest start to the latest end of its spans."),
    "trace.span_count": NumberField("span_count", "Spans of the trace."),
    "trace.error_count": NumberField("error_count", "Spans of the trace with status error."),
    "trace.service_count": NumberField("service_count", "Services that have spans in the trace."),
}
SIGNALS: Mapping[Signal, SignalDefinition] = {
    definition.signal: definition
    for definition in (
        SignalDefinition(
            Signal.SPANS,
            table="spans",
            row="spans",
            bucket="toStartOfFiveMinutes",
            fields=_SPAN_FIELDS,
            attributes=_NUMBERED,
            error="status_code = 2",
            entry="kind IN (2, 5) OR parent_span_id = ''",
            text="name",
            own_scope="span",
            nested={
                "event": Nested("events", AttributeMaps("attributes_string", "attributes_other")),
                "link": Nested("links", AttributeMaps("attributes_string", "attributes_other")),
            },
            listing=("trace_id", "span_id", "service", "operation", "kind", "duration", "status"),
            rollups=("red_1m", "red_1h"),
        ),
        SignalDefinition(
            Signal.LOGS,
            table="logs",
            row="records",
            bucket="toStartOfFiveMinutes",
            fields={
                **_COMMON,
                "severity": SeverityField(
                    "severity", "Severity level, from its text where no number was sent.", listed=True
                ),
                "severity_number": NumberField("severity_number", "Severity number as sent; 0 where none was."),
                "severity_text": TextField("severity_text", "Severity text as sent.", listed=True),
                "body": BodyField(
                    "body", "The body; `body.<path>` is a value inside a JSON or structured one.", payload="body_other"
                ),
                "trace_id": IdField("trace_id", "Trace id in hex.", digits=32),
                "span_id": IdField("span_id", "Span id in hex.", digits=16),
                "event.name": TextField("event_name", "Event name.", listed=True),
            },
            attributes=_NUMBERED,
            error="severity >= 17",
            text="body",
            folded_text="lowerUTF8(normalizeUTF8NFC(body))",
            structured_text="body_other",
            listing=("severity", "service", "body", "trace_id", "span_id"),
        ),
        SignalDefinition(
            Signal.METRICS,
            table="metric_points",
            row="points",
            bucket="toStartOfHour",
            fields={
                **_COMMON,
                "metric": TextField("name", "Name of the metric.", listed=True),
                "metric.type": TextField("toString(type)", "gauge, sum, histogram, exponential_histogram or summary."),
                "metric.unit": TextField("unit", "Unit of the metric.", listed=True),
                "value": NumberField(
                    "if(value_type = 'int', toFloat64(value_int), value_double)",
                    "Value of a gauge or sum.",
                    present="value_type != 'none'",
                ),
                "value.count": NumberField(
                    "count",
                    "Count of a histogram or summary.",
                    present="type IN ('histogram', 'exponential_histogram', 'summary')",
                ),
                "value.sum": NumberField("ifNull(sum, 0)", "Sum of a histogram or summary.", present="sum IS NOT NULL"),
            },
            attributes=_TAGGED,
            error=None,
            listing=("metric", "service", "value"),
            series=_SERIES,
        ),
    )
}
# The rows of a question about traces are made of spans, and so is a condition on one.
SIGNALS = {**SIGNALS, Signal.TRACES: SIGNALS[Signal.SPANS]}
# A condition on a metric's points is one on their series: it goes into a statement about those.
SERIES = SignalDefinition(
    Signal.METRICS,
    table="metric_series",
    row="series",
    bucket="toStartOfHour",
    fields=_COMMON,
    attributes=_TAGGED,
    error=None,
)
CONDITIONS: Mapping[Signal, SignalDefinition] = {**SIGNALS, Signal.METRICS: SERIES}
