"""Rows of the telemetry tables in the API's JSON form, with every field as it was sent.

Tagged payloads (schema 0001) are one type byte and the value: 's' text, 't'/'f' booleans, 'i' and 'd' numbers as decimal
text, 'a' an ArrayValue message, 'k' a KeyValueList message, 'b' bytes; nothing at all is a value that was never set.
Row keys are the column names of queries/*.sql. Attributes come as pairs: [(key, value), ...], tagged ones in hex.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, EntityRef, KeyValueList

from libs.common.json_form import Json, attribute_value, double, from_any_value, from_key_values, u64

Row = Mapping[str, Any]
Pairs = Iterable[tuple[str, Any]]

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")
TEMPORALITIES = ("UNSPECIFIED", "DELTA", "CUMULATIVE")


def tagged_value(payload: bytes) -> Any:
    """The Python value of a tagged payload, as `attribute_value` takes it. A payload that cannot be read is bytes."""
    tag, content = payload[:1], payload[1:]
    try:
        match tag:
            case b"":
                return None
            case b"t" | b"f":
                return tag == b"t"
            case b"i":
                return int(content)
            case b"d":
                return float(content)
            case b"s":
                return content.decode("utf-8")
            case b"a":
                return [from_any_value(item) for item in ArrayValue.FromString(content).values]
            case b"k":
                return from_key_values(KeyValueList.FromString(content).values)
            case _:
                return content
    except (DecodeError, ValueError):
        return content


def attributes(others: Pairs, *typed: Pairs) -> dict[str, Json]:
    """An attributes object. OTLP wants unique keys; where one was sent twice or is "$kvlist", all pairs are in `$kvlist`."""
    pairs = [(key, attribute_value(value)) for values in typed for key, value in values]
    pairs += [(key, attribute_value(tagged_value(bytes.fromhex(payload)))) for key, payload in others]
    unique = dict(pairs)
    if len(unique) == len(pairs) and "$kvlist" not in unique:
        return unique
    return {"$kvlist": [[key, value] for key, value in pairs]}


def span(row: Row, trace_id: str) -> dict[str, Any]:
    """A row of trace_spans."""
    return {
        "trace_id": trace_id,
        "span_id": row["span"],
        "parent_span_id": row["parent"],
        "trace_state": row["state"],
        "flags": row["span_flags"],
        "name": row["span_name"],
        "kind": named(KINDS, row["span_kind"]),
        "service": row["span_service"],
        "start_time_unix_nano": u64(row["started"]),
        "end_time_unix_nano": u64(row["ended"]),
        # Exactly, which may be more than 64 bits hold.
        "duration_nano": str(row["ended"] - row["started"]),
        "duration_fault": row["fault"],
        "attributes": attributes(row["others"], row["strings"], row["ints"], row["doubles"]),
        "dropped_attributes_count": row["dropped_attributes"],
        "events": [_event(event) for event in row["event_rows"]],
        "dropped_events_count": row["dropped_events"],
        "links": [_link(link) for link in row["link_rows"]],
        "dropped_links_count": row["dropped_links"],
        "status": {"code": named(STATUSES, row["status"]), "message": row["message"]},
        **_origin(row),
    }


def log_record(row: Row) -> dict[str, Any]:
    """A row of log_rows."""
    payload = bytes.fromhex(row["body_payload"])
    return {
        "time_unix_nano": u64(row["sent"]),
        "observed_time_unix_nano": u64(row["observed"]),
        "severity_number": row["severity"],
        "severity_text": row["severity_name"],
        "body": row["text"] if payload == b"s" else attribute_value(tagged_value(payload)),
        "attributes": attributes(row["others"], row["strings"], row["ints"], row["doubles"]),
        "dropped_attributes_count": row["dropped_attributes"],
        "flags": row["log_flags"],
        "trace_id": row["trace"],
        "span_id": row["span"],
        "event_name": row["event"],
        "service": row["log_service"],
        **_origin(row),
    }


def metric_series(row: Row) -> dict[str, Any]:
    """What all points of a series share, from any of its rows of metric_points; `points` is empty."""
    return {
        "type": row["kind"],
        "unit": row["unit_name"],
        "description": row["about"],
        "temporality": named(TEMPORALITIES, row["aggregation"]),
        "monotonic": row["is_monotonic"],
        "metadata": attributes(row["metadata_others"], row["metadata_strings"]),
        "service": row["owner"],
        "attributes": attributes(row["others"], row["strings"]),
        **_origin(row),
        "points": [],
    }


def data_point(row: Row) -> dict[str, Any]:
    """A row of metric_points: the fields that its type of point has, optional ones only where they were sent."""
    point: dict[str, Any] = {
        "start_time_unix_nano": u64(row["started"]),
        "time_unix_nano": u64(row["sent"]),
        "flags": row["point_flags"],
    }
    kind = row["kind"]
    if kind in {"gauge", "sum"}:
        point |= _number(row["value_kind"], row["double_value"], row["int_value"])
    else:
        point["count"] = u64(row["point_count"])
        point |= {
            name: double(row[f"point_{name}"]) for name in ("sum", "min", "max") if row[f"point_{name}"] is not None
        }
    if kind == "histogram":
        point["bucket_counts"] = [u64(count) for count in row["buckets"]]
        point["explicit_bounds"] = [double(bound) for bound in row["bounds"]]
    elif kind == "exponential_histogram":
        point |= {
            "scale": row["exponent_scale"],
            "zero_count": u64(row["zeros"]),
            "zero_threshold": double(row["zero_bound"]),
            "positive": _buckets(row["positive_start"], row["positive_buckets"]),
            "negative": _buckets(row["negative_start"], row["negative_buckets"]),
        }
    elif kind == "summary":
        point["quantile_values"] = [
            {"quantile": double(quantile), "value": double(value)} for quantile, value in row["quantiles"]
        ]
    if kind != "summary":
        point["exemplars"] = [_exemplar(exemplar) for exemplar in row["exemplar_rows"]]
    return point


def named(names: Sequence[str], number: int) -> str | int:
    """The enum value's name; a number that OTLP does not name stays a number."""
    return names[number] if 0 <= number < len(names) else number


def _origin(row: Row) -> dict[str, Any]:
    return {
        "resource_attributes": attributes(row["resource_others"], row["resource_strings"]),
        "resource_dropped_attributes_count": row["resource_dropped"],
        "resource_entity_refs": [_entity_ref(bytes.fromhex(entity)) for entity in row["resource_entities"]],
        "resource_schema_url": row["resource_schema"],
        "scope": {
            "name": row["scope"],
            "version": row["version"],
            "attributes": attributes(row["scope_others"], row["scope_strings"]),
            "dropped_attributes_count": row["scope_dropped"],
        },
        "scope_schema_url": row["scope_schema"],
    }


def _entity_ref(message: bytes) -> dict[str, Any]:
    entity = EntityRef.FromString(message)
    return {
        "schema_url": entity.schema_url,
        "type": entity.type,
        "id_keys": list(entity.id_keys),
        "description_keys": list(entity.description_keys),
    }


def _event(event: Sequence[Any]) -> dict[str, Any]:
    time, name, strings, others, dropped = event
    return {
        "time_unix_nano": u64(time),
        "name": name,
        "attributes": attributes(others, strings),
        "dropped_attributes_count": dropped,
    }


def _link(link: Sequence[Any]) -> dict[str, Any]:
    trace_id, span_id, trace_state, strings, others, dropped, flags = link
    return {
        "trace_id": trace_id,
        "span_id": span_id,
        "trace_state": trace_state,
        "attributes": attributes(others, strings),
        "dropped_attributes_count": dropped,
        "flags": flags,
    }


def _exemplar(exemplar: Sequence[Any]) -> dict[str, Any]:
    time, trace_id, span_id, value_kind, as_double, as_int, strings, others = exemplar
    return {
        "time_unix_nano": u64(time),
        **_number(value_kind, as_double, as_int),
        "span_id": span_id,
        "trace_id": trace_id,
        "filtered_attributes": attributes(others, strings),
    }


def _number(kind: str, as_double: float, as_int: int) -> dict[str, Any]:
    """The oneof of number points: one of two keys, or none where no value was sent."""
    if kind == "int":
        return {"as_int": u64(as_int)}
    return {"as_double": double(as_double)} if kind == "double" else {}


def _buckets(offset: int, counts: Sequence[int]) -> dict[str, Any]:
    return {"offset": offset, "bucket_counts": [u64(count) for count in counts]}
