"""Shapes of the answers, for the API's description and for tests that hold answers against it.

Answers are not built from these: rows become JSON in one step (otlp_rows.py), and pydantic would touch every span twice.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Nano = Annotated[str, Field(pattern=r"^-?[0-9]+$", description="Nanoseconds, a 64-bit integer as a decimal string.")]
Count64 = Annotated[str, Field(pattern=r"^[0-9]+$", description="A 64-bit count as a decimal string.")]
Int64 = Annotated[str, Field(pattern=r"^-?[0-9]+$", description="A 64-bit integer as a decimal string.")]
Double = Annotated[
    float | Literal["NaN", "Infinity", "-Infinity"],
    Field(description="A double; what JSON cannot say has its proto3 name."),
]
TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]*$", examples=["4bf92f3577b34da6a3ce929d0e0e4736"])]
SpanId = Annotated[str, Field(pattern=r"^[0-9a-f]*$", examples=["00f067aa0ba902b7"])]
AttributeValue = Annotated[
    Any,
    Field(
        description="string, bool, array and object as in JSON; null where no value was set; int as a number, beyond 2^53-1 as "
        '{"$int": "9223372036854775807"}; double as a number with "." or exponent, else {"$double": "NaN"}; bytes as '
        '{"$bytes": "<base64>"}; a key-value list as an object, or {"$kvlist": [[key, value], ...]} when a key starts with "$" '
        "or repeats.",
    ),
]
Attributes = Annotated[
    dict[str, AttributeValue],
    Field(
        description="Values by key; an attribute that was not sent has no key. Should a key have been sent twice, which OTLP "
        'forbids, all pairs are in {"$kvlist": [[key, value], ...]}.',
        examples=[
            {
                "http.route": "/cart",
                "http.response.status_code": 200,
                "ratio": 0.5,
                "big": {"$int": "9223372036854775807"},
            }
        ],
    ),
]
Kind = Literal["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"] | int
StatusCode = Literal["UNSET", "OK", "ERROR"] | int
MetricType = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
Temporality = Literal["UNSPECIFIED", "DELTA", "CUMULATIVE"] | int
NextCursor = Annotated[
    str | None,
    Field(
        description="Give it as `cursor` to go on. null: there is no more. A page may be short, even empty, and have one: the "
        "search ran out of time there and goes on from it."
    ),
]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Red(Shape):
    request_count: int
    error_count: int
    request_rate: float = Field(description="Requests per second over the range.")
    error_rate: float = Field(ge=0, le=1, description="Share of requests that ended in an error; 0 without requests.")
    p50_nano: Nano | None = Field(description="Durations below which half of the requests stay; null without requests.")
    p95_nano: Nano | None
    p99_nano: Nano | None


class RedSeries(Shape):
    time_unix_nano: list[Nano] = Field(
        description="Starts of the steps. The first and last step may be partly outside the range."
    )
    request_count: list[int]
    error_count: list[int]
    p95_nano: list[Nano | None] = Field(description="null where there were no requests.")


class DetailedRedSeries(RedSeries):
    p50_nano: list[Nano | None]
    p99_nano: list[Nano | None]


class Service(Red):
    service: str = Field(description='Resource attribute service.name; "" where it was not sent.')
    series: RedSeries


class ServiceList(Shape):
    services: list[Service]
    step_seconds: int


class ServiceDetail(Red):
    service: str
    series: DetailedRedSeries
    step_seconds: int


class Operation(Red):
    operation: str = Field(description="Span name.")
    kind: Kind


class OperationList(Shape):
    operations: list[Operation] = Field(description="At most 1,000 in a page.")
    next_cursor: NextCursor


class ServiceShare(Shape):
    service: str
    span_count: int
    error_count: int


class TraceSummary(Shape):
    trace_id: TraceId
    root_service: str
    root_name: str = Field(description="Name of the span whose parent is not in the trace.")
    start_time_unix_nano: Nano
    duration_nano: Nano = Field(description="From the earliest start to the latest end of all its spans.")
    span_count: int
    error_count: int
    services: list[ServiceShare] = Field(description="Those with most spans first.")
    status: Literal["OK", "ERROR", "UNSET"] = Field(description="ERROR if any span is; else OK if any span says so.")
    matched_spans: int = Field(description="Spans inside the range that fit the query.")


class TraceList(Shape):
    traces: list[TraceSummary]
    next_cursor: NextCursor


class DurationHeatMap(Shape):
    time_unix_nano: list[Nano]
    step_seconds: int
    duration_bounds_nano: list[Nano] = Field(
        description="Row i holds durations from bound i up to, not including, bound i+1; the last row reaches half an octave up."
    )
    counts: list[list[int]] = Field(description="counts[row][step]: matching spans.")
    error_counts: list[list[int]]


class Scope(Shape):
    name: str
    version: str
    attributes: Attributes
    dropped_attributes_count: int


class EntityRef(Shape):
    """An entity the resource speaks of, by the keys of the resource attributes that identify and describe it."""

    schema_url: str
    type: str
    id_keys: list[str]
    description_keys: list[str]


class Origin(Shape):
    resource_attributes: Attributes
    resource_dropped_attributes_count: int
    resource_entity_refs: list[EntityRef]
    resource_schema_url: str
    scope: Scope
    scope_schema_url: str


class Event(Shape):
    time_unix_nano: Nano
    name: str
    attributes: Attributes
    dropped_attributes_count: int


class Link(Shape):
    trace_id: TraceId
    span_id: SpanId
    trace_state: str
    attributes: Attributes
    dropped_attributes_count: int
    flags: int


class Status(Shape):
    code: StatusCode
    message: str


class Span(Origin):
    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId = Field(description='"" for a span without a parent.')
    trace_state: str
    flags: int
    name: str
    kind: Kind
    service: str
    start_time_unix_nano: Nano
    end_time_unix_nano: Nano
    duration_nano: Nano = Field(
        description="End less start, whatever they are: negative, or more than 64 bits, where they were."
    )
    duration_fault: Literal["none", "start_unset", "end_before_start", "too_long"] = Field(
        description="Why the duration counts in no percentile: no start was sent, the end lies before it, or more than 30 days."
    )
    attributes: Attributes
    dropped_attributes_count: int
    events: list[Event]
    dropped_events_count: int
    links: list[Link]
    dropped_links_count: int
    status: Status


class Trace(Shape):
    trace_id: TraceId
    spans: list[Span] = Field(description="Earliest first.")
    truncated: bool = Field(description="Whether the trace has more spans than an answer may; these are its earliest.")


class LogRecord(Origin):
    time_unix_nano: Nano = Field(description='"0" where the sender gave no time.')
    observed_time_unix_nano: Nano
    severity_number: int
    severity_text: str
    body: AttributeValue
    attributes: Attributes
    dropped_attributes_count: int
    flags: int
    trace_id: TraceId
    span_id: SpanId
    event_name: str
    service: str


class LogList(Shape):
    logs: list[LogRecord]
    next_cursor: NextCursor


class LogHistogram(Shape):
    time_unix_nano: list[Nano]
    step_seconds: int
    series: dict[Literal["UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], list[int]]


class Metric(Shape):
    name: str
    type: MetricType
    unit: str
    description: str
    temporality: Temporality
    monotonic: bool
    attributes: list[str] = Field(description="Keys its points have.")
    services: list[str]


class MetricList(Shape):
    metrics: list[Metric]


class Buckets(Shape):
    offset: int
    bucket_counts: list[Count64]


class QuantileValue(Shape):
    quantile: Double
    value: Double


class Number(Shape):
    """Has one of the two, or none where no value was sent."""

    as_int: Int64 | None = None
    as_double: Double | None = None


class Exemplar(Number):
    time_unix_nano: Nano
    span_id: SpanId
    trace_id: TraceId
    filtered_attributes: Attributes


class DataPoint(Number):
    """The fields of its type of point. Optional ones (sum, min, max) are there if they were sent."""

    start_time_unix_nano: Nano
    time_unix_nano: Nano
    flags: int
    count: Count64 | None = None
    sum: Double | None = None
    min: Double | None = None
    max: Double | None = None
    bucket_counts: list[Count64] | None = None
    explicit_bounds: list[Double] | None = None
    scale: int | None = None
    zero_count: Count64 | None = None
    zero_threshold: Double | None = None
    positive: Buckets | None = None
    negative: Buckets | None = None
    quantile_values: list[QuantileValue] | None = None
    exemplars: list[Exemplar] | None = None


class MetricSeries(Origin):
    type: MetricType
    unit: str
    description: str
    temporality: Temporality
    monotonic: bool
    metadata: Attributes
    service: str
    attributes: Attributes
    points: list[DataPoint] = Field(description="In order of time. A series may go on in the next page.")


class MetricPoints(Shape):
    name: str
    type: MetricType | None = Field(description="Of the first series, like the following fields; null without any.")
    unit: str | None
    description: str | None
    temporality: Temporality | None
    monotonic: bool | None
    series: list[MetricSeries]
    next_cursor: NextCursor


class AttributeKey(Shape):
    key: str
    scope: Literal["span", "log", "metric", "resource"]
    type: Literal["string", "int", "double", "bool", "array", "kvlist", "bytes", "empty"]


class AttributeKeys(Shape):
    keys: list[AttributeKey] = Field(description="At most 1,000 in a page, by name.")
    next_cursor: NextCursor


class ValueCount(Shape):
    value: AttributeValue
    count: int = Field(description="Among the records looked at.")


class AttributeValues(Shape):
    values: list[ValueCount] = Field(description="At most 100 in a page, most frequent first.")
    next_cursor: NextCursor


class QueryColumn(Shape):
    name: str = Field(description="As the query's text form writes it.", examples=["http.route", "p95(duration)"])
    kind: Literal["time", "group", "aggregate", "field"]
    unit: str | None = Field(
        description="UCUM: ns for durations, 1 for shares, {spans} for counts of spans; null for none or an unknown one."
    )


class QuerySeries(Shape):
    step_seconds: int
    time_unix_nano: list[Nano] = Field(
        description="Starts of the steps. The first and last may be partly outside the range."
    )
    values: list[list[list[Double | None]]] = Field(
        description="values[row][aggregate][step], rows as in the table; null for a step without records."
    )


class QueryComparison(Shape):
    from_unix_nano: Nano
    to_unix_nano: Nano
    values: list[list[Double | None]] = Field(
        description="values[row][aggregate] of the same groups in the other range; null where there is no such group."
    )
    series: QuerySeries | None


class QueryCost(Shape):
    rows: int
    bytes: int = Field(description="Uncompressed.")
    statements: int


class QueryAnswer(Shape):
    query: str = Field(description="The query in its text form, for a URL.")
    from_unix_nano: Nano
    to_unix_nano: Nano
    columns: list[QueryColumn]
    rows: list[list[AttributeValue]] = Field(
        description="A value per column. Keys give null where a record has none; aggregates where there is nothing to take them of."
    )
    row_count: int
    series: QuerySeries | None = Field(description="If the query asks for a series.")
    comparison: QueryComparison | None = Field(description="If the query compares.")
    read: QueryCost = Field(description="What the store read for the answer.")
    partial: bool = Field(
        description="Whether something of the answer was left out; `partial_reasons` says what and why."
    )
    partial_reasons: list[str]
