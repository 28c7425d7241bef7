"""Values as written, read as what they stand for: numbers, booleans, durations, ids, regular expressions."""

import math
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import re2

from libs.common.errors import InvalidQuery
from libs.common.query.ast import WILDCARD, Value

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_NANO = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_HEX = re.compile(r"[0-9a-f]{1,64}")
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number; `text` as written, because a string attribute "200" equals 200."""

    value: int | float
    text: str


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    text: str


@dataclass(frozen=True, slots=True)
class String:
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A bare text with `*` in it; `pattern` as the store's LIKE takes it."""

    text: str

    @property
    def pattern(self) -> str:
        return like_pattern(self.text)

    @property
    def is_anything(self) -> bool:
        return not self.text.strip(WILDCARD)


Literal: TypeAlias = Number | Boolean | Wildcard | String


def literal(value: Value) -> Literal:
    """What a value stands for: quoted it is a string; bare a number, boolean or pattern if it reads as one."""
    text = value.text
    if not value.quoted:
        if WILDCARD in text:
            return Wildcard(text)
        if text in {"true", "false"}:
            return Boolean(text == "true", text)
        if _INTEGER.fullmatch(text):
            number = int(text) if len(text) <= 40 else math.inf  # int() of a long text is slow
            if number in _INT64:
                return Number(number, text)
        if _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)):
            return Number(number, text)
    return String(text)


def like_pattern(text: str) -> str:
    """`*` as LIKE's `%`, and everything else as itself."""
    return like_escaped(text).replace(WILDCARD, "%")


def like_escaped(text: str) -> str:
    """The text as LIKE takes it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def spellings(text: str) -> tuple[str, ...]:
    """The text in the forms in which Unicode may write it: as given, composed (NFC) and decomposed (NFD)."""
    if text.isascii():
        return (text,)
    return tuple(dict.fromkeys((text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))))


def duration_nano(value: Value) -> int:
    """A duration such as 200ms, 1.5s, 1m30s or 0 in nanoseconds. Raises InvalidQuery."""
    if value.text == "0":  # the only number that says the same in every unit
        return 0
    pieces = list(_DURATION.finditer(value.text))
    if not pieces or "".join(piece.group() for piece in pieces) != value.text:
        raise InvalidQuery(
            f"{value.text!r} is no duration.",
            position=value.position,
            expected="a number with a unit (ns, us, ms, s, m, h), as in 200ms or 1.5s",
        )
    total = round(sum(Decimal(number) * _UNIT_NANO[unit] for number, unit in (piece.groups() for piece in pieces)))
    if total not in _INT64:
        raise InvalidQuery(f"{value.text!r} is too long.", position=value.position, expected="at most 292 years")
    return total


def identifier_hex(value: Value, digits: int) -> tuple[str, ...]:
    """The ids that a trace or span id as somebody writes it can mean, as lower-case hex: usually one.

    `digits` is the length of a whole id. Upper case, dashes and a `0x` in front mean nothing; leading zeros may be missing,
    because 64-bit tracers and their pages leave them out. Raises InvalidQuery.
    """
    text = value.text.lower().removeprefix("0x").replace("-", "")
    if not _HEX.fullmatch(text) or len(text) > 64:
        raise InvalidQuery(
            f"{value.text!r} is no id.", position=value.position, expected=f"{digits} hexadecimal digits"
        )
    whole = text.zfill(digits)
    return (whole,) if len(text) % 2 or text == whole else (text, whole)


def regular_expression(value: Value) -> str:
    """The pattern, known to compile in the store's own dialect (RE2). Raises InvalidQuery."""
    try:
        _compiled(value.text)
    except re2.error as error:
        reason = error.args[0] if error.args else "it does not compile"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise InvalidQuery(
            f"{value.text!r} is no regular expression: {text}.",
            position=value.position,
            expected="an expression in RE2 syntax (no look-around, no back-references)",
        ) from None
    return value.text


def matches_empty(pattern: str) -> bool:
    """Whether a valid pattern is found in an empty text."""
    return _compiled(pattern).search("") is not None


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True  # as the store's match() has it
    return re2.compile(pattern, options)
