"""The built-in fields of each signal: which keys are columns of their own, and what may be asked of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Comparison, Operator
from libs.common.query.binding import ALL_OPERATORS, Parameters, refuse_operator
from libs.common.query.literals import duration_nano, identifier_hex, regular_expression

_TEXT_OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
_ORDER_OPERATORS: tuple[Operator, ...] = ALL_OPERATORS[:6]
_EQUALITY: tuple[Operator, ...] = ("=", "!=")


class Field(Protocol):
    """A key with a column. Both methods give a boolean SQL expression; `compare` raises InvalidQuery."""

    def exists(self, parameters: Parameters) -> str: ...
    def compare(self, term: Comparison, parameters: Parameters) -> str: ...


@dataclass(frozen=True, slots=True)
class TextField:
    """A string column where "" means absent."""

    column: str

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002 - one form for all fields
        return f"{self.column} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        present = f"{self.column} != ''"
        match operator:
            case "=":
                return f"{self.column} = {parameters.text(value.text)}"
            case "!=":
                return f"({present} AND {self.column} != {parameters.text(value.text)})"
            case "=~":
                return f"match({self.column}, {parameters.text(regular_expression(value))})"
            case "!~":
                return f"({present} AND NOT match({self.column}, {parameters.text(regular_expression(value))}))"
            case _:
                raise refuse_operator(term, _TEXT_OPERATORS)


@dataclass(frozen=True, slots=True)
class TextsField:
    """An array of strings, one of which has to fit; `!=` and `!~` hold where there are some and none fits."""

    column: str

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"notEmpty({self.column})"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        if operator in {"=", "!="}:
            found = f"has({self.column}, {parameters.text(value.text)})"
        elif operator in {"=~", "!~"}:
            pattern = parameters.text(regular_expression(value))
            found = f"arrayExists(x -> match(x, {pattern}), {self.column})"
        else:
            raise refuse_operator(term, _TEXT_OPERATORS)
        return found if operator in {"=", "=~"} else f"(notEmpty({self.column}) AND NOT {found})"


@dataclass(frozen=True, slots=True)
class BodyField:
    """The log body where it is text; `tag` is 's' then, '' where the record has no body."""

    column: str
    tag: str

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.tag} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        if operator in {"=", "!="}:
            found = f"({self.tag} = 's' AND {self.column} = {parameters.text(value.text)})"
        elif operator in {"=~", "!~"}:
            pattern = parameters.text(regular_expression(value))
            found = f"({self.tag} = 's' AND match({self.column}, {pattern}))"
        else:
            raise refuse_operator(term, _TEXT_OPERATORS)
        return found if operator in {"=", "=~"} else f"({self.tag} != '' AND NOT {found})"


@dataclass(frozen=True, slots=True)
class DurationField:
    """Nanoseconds."""

    column: str

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return "true"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        if operator not in _ORDER_OPERATORS:
            raise refuse_operator(term, _ORDER_OPERATORS)
        return f"{self.column} {operator} {parameters.number(duration_nano(value))}"


@dataclass(frozen=True, slots=True)
class EnumField:
    """A number with a name, always there."""

    column: str
    names: tuple[str, ...]

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return "true"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        if operator not in _EQUALITY:
            raise refuse_operator(term, _EQUALITY)
        name = value.text.lower()
        if name not in self.names:
            raise InvalidQuery(
                f"{term.key} is never {value.text!r}.",
                position=value.position,
                expected=f"one of {', '.join(self.names)}",
            )
        return f"{self.column} {operator} {parameters.number(self.names.index(name))}"


@dataclass(frozen=True, slots=True)
class IdField:
    """Raw bytes, asked for in hex."""

    column: str
    digits: int

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.column} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator, value = term.operator, term.value
        if operator not in _EQUALITY:
            raise refuse_operator(term, _EQUALITY)
        identifier = f"unhex({parameters.text(identifier_hex(value, self.digits))})"
        if operator == "=":
            return f"{self.column} = {identifier}"
        return f"({self.column} != '' AND {self.column} != {identifier})"


SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
_SEVERITY_SYNONYMS = {"warning": "warn", "err": "error", "information": "info", "critical": "fatal"}


@dataclass(frozen=True, slots=True)
class SeverityField:
    """OpenTelemetry's severity number. A name stands for its four numbers, `error2` or 18 for one; `unset` is 0.

    Only `=`, `!=` and NOT see records without a severity: those are neither above nor below a level.
    """

    column: str

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.column} != 0"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        operator = term.operator
        if operator not in _ORDER_OPERATORS:
            raise refuse_operator(term, _ORDER_OPERATORS)
        lowest, highest = _severity_numbers(term)
        low, high = parameters.number(lowest), parameters.number(highest)
        match operator:
            case "=":
                return f"{self.column} BETWEEN {low} AND {high}"
            case "!=":
                return f"{self.column} NOT BETWEEN {low} AND {high}"
            case ">":
                return f"({self.column} != 0 AND {self.column} > {high})"
            case ">=":
                return f"({self.column} != 0 AND {self.column} >= {low})"
            case "<":
                return f"({self.column} != 0 AND {self.column} < {low})"
            case _:
                return f"({self.column} != 0 AND {self.column} <= {high})"


def _severity_numbers(term: Comparison) -> tuple[int, int]:
    text = term.value.text.lower()
    if text == "unset":
        return 0, 0
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text), int(text)
    if found := re.fullmatch(r"([a-z]+)([1-4]?)", text):
        level = _SEVERITY_SYNONYMS.get(found[1], found[1])
        if level in SEVERITIES:
            first = 1 + 4 * SEVERITIES.index(level)
            return (first + int(found[2]) - 1,) * 2 if found[2] else (first, first + 3)
    raise InvalidQuery(
        f"{term.key} is never {term.value.text!r}.",
        position=term.value.position,
        expected=f"one of {', '.join(SEVERITIES)}, unset, or a number",
    )


_COMMON: Mapping[str, Field] = {
    "service": TextField("service"),
    "service.name": TextField("service"),
    "scope.name": TextField("scope_name"),
    "scope.version": TextField("scope_version"),
}
TRACE_FIELDS: Mapping[str, Field] = {
    **_COMMON,
    "operation": TextField("name"),
    "name": TextField("name"),
    "duration": DurationField("duration_nano"),
    "status": EnumField("status_code", ("unset", "ok", "error")),
    "status_message": TextField("status_message"),
    "kind": EnumField("kind", ("unspecified", "internal", "server", "client", "producer", "consumer")),
    "trace_id": IdField("trace_id", 32),
    "span_id": IdField("span_id", 16),
    "parent_span_id": IdField("parent_span_id", 16),
    "event.name": TextsField("events.name"),
}
LOG_FIELDS: Mapping[str, Field] = {
    **_COMMON,
    "severity": SeverityField("severity"),
    "severity_text": TextField("severity_text"),
    "body": BodyField("body", "body_other"),
    "trace_id": IdField("trace_id", 32),
    "span_id": IdField("span_id", 16),
    "event.name": TextField("event_name"),
}
METRIC_FIELDS: Mapping[str, Field] = _COMMON
