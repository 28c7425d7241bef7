"""The API's JSON form: exact where JSON is not. Nothing a tracer sent is rounded, and NaN has a name.

Record fields that are 64-bit by type are decimal strings and non-finite doubles are "NaN", "Infinity", "-Infinity", as
in OTLP/JSON (proto3 JSON mapping). Attribute values keep their type:

    string, bool, null (no value set)   as they are
    int                                 a number up to 2^53-1 in size, beyond it {"$int": "9223372036854775807"}
    double                              a number with '.' or exponent; {"$double": "NaN"|"Infinity"|"-Infinity"}
    bytes                               {"$bytes": "<base64>"}
    array                               an array
    kvlist                              an object; {"$kvlist": [[key, value], ...]} when a key starts with "$" or repeats
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from starlette.responses import Response

# The largest n for which n and n+1 both are doubles: what JavaScript can hold exactly (RFC 8259, section 6).
MAX_SAFE_INTEGER = 2**53 - 1
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class KeyValues:
    """A kvlist in order, in which a key may repeat."""

    pairs: tuple[tuple[str, Any], ...]


def u64(value: int) -> str:
    """A 64-bit field, signed or not, as a decimal string. Raises ValueError beyond 64 bits."""
    if not _INT64_MIN <= value <= _UINT64_MAX:
        raise ValueError(f"{value} does not fit in 64 bits")
    return str(int(value))


def double(value: float) -> float | str:
    """A double field: the number, or its proto3 JSON name when it is not finite."""
    value = float(value)
    return value if math.isfinite(value) else _name(value)


def attribute_value(value: Any) -> Json:
    """The JSON form of None, bool, int, float, str, bytes, a sequence, a mapping or KeyValues.

    Raises TypeError for other types and ValueError for an int beyond 64 bits.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_SAFE_INTEGER else {"$int": u64(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$double": _name(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, KeyValues):
        return _key_values(value.pairs)
    if isinstance(value, Mapping):
        return _key_values(tuple(value.items()))
    if isinstance(value, Sequence):
        return [attribute_value(item) for item in value]
    raise TypeError(f"an attribute cannot hold {type(value).__name__}")


def attributes(values: Mapping[str, Any]) -> dict[str, Json]:
    """An attributes object: keys stay as they are, even those that start with "$", because it is never a value."""
    return {key: attribute_value(value) for key, value in values.items()}


def from_json_form(value: Json) -> Any:
    """What `attribute_value` was given; the way back, for clients in Python. Raises ValueError for what it never makes."""
    if isinstance(value, list):
        return [from_json_form(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))).startswith("$"):
        return _untagged(key, value[key])
    return {key: from_json_form(item) for key, item in value.items()}


def from_any_value(value: AnyValue) -> Any:
    """The Python value of OTLP's AnyValue: what `attribute_value` takes."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [from_any_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return from_key_values(value.kvlist_value.values)
    return getattr(value, kind)


def from_key_values(values: Iterable[KeyValue]) -> KeyValues:
    """The Python value of a list of OTLP's KeyValue."""
    return KeyValues(tuple((item.key, from_any_value(item.value)) for item in values))


def to_json(content: Any) -> bytes:
    """JSON as this API writes it: compact UTF-8. Doubles keep their '.'; a bare NaN is our bug and becomes null."""
    return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


class JsonFormResponse(Response):
    """application/json by `to_json`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)


def _key_values(pairs: Sequence[tuple[str, Any]]) -> Json:
    rendered = [(key, attribute_value(value)) for key, value in pairs]
    as_object = dict(rendered)
    if len(as_object) == len(rendered) and not any(key.startswith("$") for key in as_object):
        return as_object
    return {"$kvlist": [[key, value] for key, value in rendered]}


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _untagged(key: str, value: Json) -> Any:
    if key == "$int" and isinstance(value, str):
        return int(value)
    if key == "$double" and value in {"NaN", "Infinity", "-Infinity"}:
        return float(str(value))
    if key == "$bytes" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if key == "$kvlist" and isinstance(value, list):
        return KeyValues(tuple(_pair(item) for item in value))
    raise ValueError(f"{key} is not part of the JSON form")


def _pair(item: Json) -> tuple[str, Any]:
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
        return item[0], from_json_form(item[1])
    raise ValueError("$kvlist holds [key, value] pairs")
