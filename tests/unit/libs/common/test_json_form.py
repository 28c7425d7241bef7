"""The JSON form loses nothing."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from libs.common.json_form import (
    MAX_SAFE_INTEGER,
    JsonFormResponse,
    KeyValues,
    attribute_value,
    attributes,
    double,
    from_any_value,
    from_json_form,
    to_json,
    u64,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))  # proto3 strings are valid UTF-8
int64 = st.integers(-(2**63), 2**63 - 1)
scalars = st.one_of(st.none(), st.booleans(), int64, st.floats(), texts, st.binary())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.tuples(texts, inner), max_size=4).map(lambda pairs: KeyValues(tuple(pairs))),
    ),
    max_leaves=12,
)


def _same(first, second) -> bool:
    """Equal in type too, NaN being NaN; a mapping is what its pairs are."""
    if isinstance(second, dict):
        second = KeyValues(tuple(second.items()))
    if isinstance(first, KeyValues) and isinstance(second, KeyValues):
        return len(first.pairs) == len(second.pairs) and all(
            a[0] == b[0] and _same(a[1], b[1]) for a, b in zip(first.pairs, second.pairs, strict=True)
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return (math.isnan(first) and math.isnan(second)) or (
            first == second and math.copysign(1, first) == math.copysign(1, second)
        )
    return type(first) is type(second) and first == second


def _as_any_value(value) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[_as_any_value(item) for item in value]))
        case KeyValues():
            pairs = [KeyValue(key=key, value=_as_any_value(item)) for key, item in value.pairs]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))
    raise AssertionError(type(value))


@given(values)
def test_every_attribute_value_comes_back_from_its_json(value) -> None:
    assert _same(value, from_json_form(orjson.loads(to_json(attribute_value(value)))))


@given(values)
def test_every_any_value_is_read_as_the_python_value_it_was_made_of(value) -> None:
    wire = _as_any_value(value).SerializeToString()
    assert _same(value, from_any_value(AnyValue.FromString(wire)))


@given(values)
def test_javascript_reads_the_same_numbers(value) -> None:
    """JavaScript has doubles only: each number in the text must be one."""

    def exact(text: str) -> int:
        assert int(text) == float(text)
        return int(text)

    json.loads(to_json(attribute_value(value)), parse_int=exact, parse_constant=pytest.fail)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_told_from_an_integer(value: float) -> None:
    text = to_json(attribute_value(value)).decode()
    assert "." in text or "e" in text
    assert float(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (MAX_SAFE_INTEGER, "9007199254740991"),
        (MAX_SAFE_INTEGER + 1, '{"$int":"9007199254740992"}'),
        (-MAX_SAFE_INTEGER - 1, '{"$int":"-9007199254740992"}'),
        (2**63 - 1, '{"$int":"9223372036854775807"}'),
        (True, "true"),
        (1.0, "1.0"),
        (math.nan, '{"$double":"NaN"}'),
        (-math.inf, '{"$double":"-Infinity"}'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        (None, "null"),
        ([1, "a", [None]], '[1,"a",[null]]'),
        ({"a": 1}, '{"a":1}'),
        ({"$int": "1"}, '{"$kvlist":[["$int","1"]]}'),
        (KeyValues((("a", 1), ("a", 2))), '{"$kvlist":[["a",1],["a",2]]}'),
        (KeyValues(()), "{}"),
    ],
)
def test_the_documented_forms(value, text: str) -> None:
    assert to_json(attribute_value(value)).decode() == text


def test_an_attributes_object_keeps_its_keys() -> None:
    assert attributes({"$a": 2**60, "b": 1.5}) == {"$a": {"$int": str(2**60)}, "b": 1.5}


@given(st.integers(-(2**63), 2**64 - 1))
def test_64_bit_fields_are_decimal_strings(value: int) -> None:
    assert u64(value) == str(value)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
def test_a_field_beyond_64_bits_is_an_error(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        u64(value)


@given(st.floats())
def test_a_double_field_is_a_number_or_its_proto3_name(value: float) -> None:
    rendered = double(value)
    assert rendered == value if math.isfinite(value) else rendered in {"NaN", "Infinity", "-Infinity"}


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        attribute_value(object())


@pytest.mark.parametrize("form", [{"$int": 1}, {"$double": "1"}, {"$bytes": "%"}, {"$kvlist": [["a"]]}, {"$other": 1}])
def test_what_is_not_the_form_is_refused(form) -> None:
    with pytest.raises(ValueError):
        from_json_form(form)


def test_the_response_says_what_it_is() -> None:
    response = JsonFormResponse({"a": 1.0})
    assert response.body == b'{"a":1.0}'
    assert response.headers["content-type"] == "application/json"
