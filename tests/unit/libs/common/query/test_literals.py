"""What stands behind an operator, read as what it means."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Value
from libs.common.query.literals import (
    Boolean,
    Number,
    String,
    duration_nano,
    identifier_hex,
    literal,
    matches_empty,
    regular_expression,
)

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PIECES = st.tuples(st.integers(0, 10**4), st.integers(0, 999), st.sampled_from(sorted(UNITS)))


@given(st.lists(_PIECES, min_size=1, max_size=4))
def test_durations_add_up(pieces: list[tuple[int, int, str]]) -> None:
    text = "".join(f"{whole}.{fraction:03d}{unit}" for whole, fraction, unit in pieces)
    exact = sum((Decimal(whole) + Decimal(fraction) / 1000) * UNITS[unit] for whole, fraction, unit in pieces)
    assert abs(duration_nano(Value(text)) - exact) <= Decimal("0.5")


@given(st.text(st.sampled_from("0123456789.nuµmsh -+e"), max_size=12))
def test_any_other_text_is_no_duration(text: str) -> None:
    try:
        assert duration_nano(Value(text, position=3)) >= 0
    except InvalidQuery as error:
        assert error.position == 3


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_keep_all_digits(number: int) -> None:
    assert literal(Value(str(number))) == Number(number, str(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_read_as_printed(number: float) -> None:
    read = literal(Value(repr(number)))
    assert isinstance(read, Number)
    assert math.copysign(1, read.value) == math.copysign(1, number) or read.value == 0
    assert read.value == number


@given(st.text(max_size=20), st.booleans())
def test_every_value_is_something_and_keeps_its_text(text: str, quoted: bool) -> None:
    read = literal(Value(text, quoted=quoted))
    assert read.text == text
    assert isinstance(read, String) or not quoted
    if isinstance(read, Number):
        assert math.isfinite(read.value)


def test_booleans_are_words() -> None:
    assert literal(Value("true")) == Boolean(True, "true")
    assert literal(Value("true", quoted=True)) == String("true")
    assert literal(Value("True")) == String("True")


@given(st.text(max_size=20))
def test_expressions_compile_or_are_refused_where_they_stand(text: str) -> None:
    try:
        pattern = regular_expression(Value(text, position=7))
    except InvalidQuery as error:
        assert error.position == 7
    else:
        assert pattern == text
        assert isinstance(matches_empty(pattern), bool)


@given(st.binary(min_size=1, max_size=32), st.booleans())
def test_ids_are_hexadecimal_in_any_case(data: bytes, upper: bool) -> None:
    text = data.hex().upper() if upper else data.hex()
    assert identifier_hex(Value(text), 32)[0] == data.hex()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("5AF7183FB1D4CF5F", ("5af7183fb1d4cf5f", "0" * 16 + "5af7183fb1d4cf5f")),
        ("af7183fb1d4cf5f", ("0" * 17 + "af7183fb1d4cf5f",)),
        ("0x5af7183fb1d4cf5f5af7183fb1d4cf5f", ("5af7183fb1d4cf5f" * 2,)),
        ("5AF7183F-B1D4-CF5F-5AF7-183FB1D4CF5F", ("5af7183fb1d4cf5f" * 2,)),
    ],
)
def test_ids_as_other_tools_write_them(text: str, ids: tuple[str, ...]) -> None:
    assert identifier_hex(Value(text), 32) == ids


@pytest.mark.parametrize("text", ["", "xy", "0x", "0x0x12", "é1", "ab" * 33])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(InvalidQuery):
        identifier_hex(Value(text), 32)
