"""SQL by which the store itself decodes OTLP: the input structures and the attribute forms, filled into queries/insert_*.sql.

The store reads length-prefixed envelopes (otlp.proto) with ``FORMAT Protobuf``; no span, log record or data point becomes a
Python object on the way. ``${NAME}`` stands for an input structure and ``${NAME:expression}`` for a form applied to an expression.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import resources

ANY_VALUE = (
    "value Enum8('unset' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, "
    "'kvlist_value' = 6, 'bytes_value' = 7), string_value String, bool_value Bool, int_value Int64, double_value Float64, "
    "array_value String, kvlist_value String, bytes_value String"
)
KEY_VALUES = f"Array(Tuple(key String, value Tuple({ANY_VALUE})))"
SCOPE = f"Tuple(name String, version String, attributes {KEY_VALUES}, dropped_attributes_count UInt32)"
EVENT = f"Tuple(time_unix_nano UInt64, name String, attributes {KEY_VALUES}, dropped_attributes_count UInt32)"
LINK = (
    f"Tuple(trace_id String, span_id String, trace_state String, attributes {KEY_VALUES}, dropped_attributes_count UInt32, "
    "flags UInt32)"
)
SPAN = (
    "Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, flags UInt32, name String, kind Int32, "
    f"start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {KEY_VALUES}, dropped_attributes_count UInt32, "
    f"events Array({EVENT}), dropped_events_count UInt32, links Array({LINK}), dropped_links_count UInt32, "
    "status Tuple(message String, code Int32))"
)
LOG_RECORD = (
    "Tuple(time_unix_nano UInt64, severity_number Int32, severity_text String, "
    f"body Tuple({ANY_VALUE}), attributes {KEY_VALUES}, dropped_attributes_count UInt32, flags UInt32, trace_id String, "
    "span_id String, observed_time_unix_nano UInt64, event_name String)"
)
NUMBER = "value Enum8('none' = 0, 'as_double' = {double}, 'as_int' = 6), as_double Float64, as_int Int64"
EXEMPLAR = f"Tuple(time_unix_nano UInt64, {NUMBER.format(double=3)}, span_id String, trace_id String, filtered_attributes {KEY_VALUES})"
TIMES = "start_time_unix_nano UInt64, time_unix_nano UInt64"
OPTIONAL_STATISTICS = "sum Nullable(Float64), min Nullable(Float64), max Nullable(Float64)"
BUCKETS = "Tuple(offset Int32, bucket_counts Array(UInt64))"
QUANTILES = "Array(Tuple(quantile Float64, value Float64))"
NUMBER_POINT = (
    f"Tuple({TIMES}, {NUMBER.format(double=4)}, exemplars Array({EXEMPLAR}), attributes {KEY_VALUES}, flags UInt32)"
)
HISTOGRAM_POINT = (
    f"Tuple({TIMES}, count UInt64, {OPTIONAL_STATISTICS}, bucket_counts Array(UInt64), explicit_bounds Array(Float64), "
    f"exemplars Array({EXEMPLAR}), attributes {KEY_VALUES}, flags UInt32)"
)
EXPONENTIAL_POINT = (
    f"Tuple({TIMES}, count UInt64, {OPTIONAL_STATISTICS}, scale Int32, zero_count UInt64, positive {BUCKETS}, "
    f"negative {BUCKETS}, flags UInt32, exemplars Array({EXEMPLAR}), attributes {KEY_VALUES}, zero_threshold Float64)"
)
SUMMARY_POINT = (
    f"Tuple({TIMES}, count UInt64, sum Float64, quantile_values {QUANTILES}, attributes {KEY_VALUES}, flags UInt32)"
)
METRIC = (
    "Tuple(name String, description String, unit String, data Enum8('none' = 0, 'gauge' = 5, 'sum' = 7, 'histogram' = 9, "
    "'exponential_histogram' = 10, 'summary' = 11), "
    f"gauge Tuple(data_points Array({NUMBER_POINT})), "
    f"sum Tuple(data_points Array({NUMBER_POINT}), aggregation_temporality Int32, is_monotonic Bool), "
    f"histogram Tuple(data_points Array({HISTOGRAM_POINT}), aggregation_temporality Int32), "
    f"exponential_histogram Tuple(data_points Array({EXPONENTIAL_POINT}), aggregation_temporality Int32), "
    f"summary Tuple(data_points Array({SUMMARY_POINT})), metadata {KEY_VALUES})"
)
# One form for the five kinds of data point, so that they can stand in one array.
POINT = (
    f"Tuple(start UInt64, time UInt64, attributes {KEY_VALUES}, flags UInt32, exemplars Array({EXEMPLAR}), "
    "value_type Enum8('none' = 0, 'double' = 1, 'int' = 2), value_double Float64, value_int Int64, count UInt64, "
    f"{OPTIONAL_STATISTICS}, bucket_counts Array(UInt64), explicit_bounds Array(Float64), scale Int32, zero_count UInt64, "
    "zero_threshold Float64, positive_offset Int32, positive_bucket_counts Array(UInt64), negative_offset Int32, "
    f"negative_bucket_counts Array(UInt64), quantile_values {QUANTILES})"
)


def _request(resources_field: str, scopes_field: str, records_field: str, record: str) -> str:
    scoped = f"Tuple(scope {SCOPE}, {records_field} Array({record}), schema_url String)"
    resource = f"Tuple(attributes {KEY_VALUES}, dropped_attributes_count UInt32, entity_refs Array(String))"
    return (
        f"Tuple({resources_field} Array(Tuple(resource {resource}, {scopes_field} Array({scoped}), schema_url String)))"
    )


STRUCTURES = {
    "TRACE_REQUEST": _request("resource_spans", "scope_spans", "spans", SPAN),
    "LOG_REQUEST": _request("resource_logs", "scope_logs", "log_records", LOG_RECORD),
    "METRIC_REQUEST": _request("resource_metrics", "scope_metrics", "metrics", METRIC),
}


def _other(value: str, *, numbers: bool) -> str:
    """One type byte and the payload, the form of the *_other columns (see schema 0001)."""
    number_forms = (
        f"{value}.value = 'int_value', concat('i', toString({value}.int_value)), "
        f"{value}.value = 'double_value', concat('d', toString({value}.double_value)), "
    )
    return (
        f"multiIf({number_forms if numbers else ''}"
        f"{value}.value = 'bool_value', if({value}.bool_value, 't', 'f'), "
        f"{value}.value = 'array_value', concat('a', {value}.array_value), "
        f"{value}.value = 'kvlist_value', concat('k', {value}.kvlist_value), "
        f"{value}.value = 'bytes_value', concat('b', {value}.bytes_value), '')"
    )


def _map(attributes: str, condition: str, value: str) -> str:
    chosen = f"arrayFilter(a -> {condition}, {attributes})"
    return f"mapFromArrays(arrayMap(a -> a.key, {chosen}), arrayMap(a -> {value}, {chosen}))"


def _points(points: str, fields: str) -> str:
    return f"CAST(arrayMap(p -> (p.start_time_unix_nano, p.time_unix_nano, p.attributes, p.flags, {fields}), {points}), {_quoted(f'Array({POINT})')})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


_VALUE_TYPE = "multiIf({0} = 'as_double', 'double', {0} = 'as_int', 'int', 'none')"
_NO_BUCKETS = "[]::Array(UInt64), []::Array(Float64)"
_NO_EXPONENTIAL = "0, 0, 0., 0, []::Array(UInt64), 0, []::Array(UInt64)"

FORMS: dict[str, Callable[[str], str]] = {
    "STRINGS": lambda x: _map(x, "a.value.value = 'string_value'", "a.value.string_value"),
    "INTS": lambda x: _map(x, "a.value.value = 'int_value'", "a.value.int_value"),
    "DOUBLES": lambda x: _map(x, "a.value.value = 'double_value'", "a.value.double_value"),
    "OTHERS": lambda x: _map(
        x, "a.value.value NOT IN ('string_value', 'int_value', 'double_value')", _other("a.value", numbers=False)
    ),
    "NON_STRINGS": lambda x: _map(x, "a.value.value != 'string_value'", _other("a.value", numbers=True)),
    # One for whatever order attributes came in, and so are fingerprints and series made of it. Values of a key sent twice keep theirs.
    "SORTED": (
        "arraySort((pair, place) -> (pair.1, place), CAST({0}, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys({0})))"
    ).format,
    "BODY": lambda x: f"if({x}.value = 'string_value', 's', {_other(x, numbers=True)})",
    "VALUE_TYPE": _VALUE_TYPE.format,
    "NUMBER_POINTS": lambda x: _points(
        x,
        f"p.exemplars, {_VALUE_TYPE.format('p.value')}, p.as_double, p.as_int, 0, NULL, NULL, NULL, {_NO_BUCKETS}, "
        f"{_NO_EXPONENTIAL}, []::{QUANTILES}",
    ),
    "HISTOGRAM_POINTS": lambda x: _points(
        x,
        "p.exemplars, 'none', 0., 0, p.count, p.sum, p.min, p.max, p.bucket_counts, p.explicit_bounds, "
        f"{_NO_EXPONENTIAL}, []::{QUANTILES}",
    ),
    "EXPONENTIAL_POINTS": lambda x: _points(
        x,
        f"p.exemplars, 'none', 0., 0, p.count, p.sum, p.min, p.max, {_NO_BUCKETS}, p.scale, p.zero_count, p.zero_threshold, "
        f"p.positive.offset, p.positive.bucket_counts, p.negative.offset, p.negative.bucket_counts, []::{QUANTILES}",
    ),
    "SUMMARY_POINTS": lambda x: _points(
        x,
        f"[]::Array({EXEMPLAR}), 'none', 0., 0, p.count, p.sum, NULL, NULL, {_NO_BUCKETS}, {_NO_EXPONENTIAL}, p.quantile_values",
    ),
}


@cache
def insert_statement(name: str) -> str:
    """The INSERT of ``queries/<name>.sql`` with structures and forms filled in; the caller adds ``FORMAT Protobuf`` and the body."""
    template = resources.files(__package__).joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    filled = re.sub(r"\$\{(\w+):([^}]+)\}", lambda form: FORMS[form[1]](form[2]), template)
    return re.sub(r"\$\{(\w+)\}", lambda structure: _quoted(STRUCTURES[structure[1]])[1:-1], filled)


@cache
def format_schema() -> str:
    """``otlp.proto`` without its comments, as ``format_schema`` wants it."""
    text = resources.files(__package__).joinpath("otlp.proto").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if line and not line.startswith("//"))
