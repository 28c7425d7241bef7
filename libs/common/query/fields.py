"""Built-in fields: keys that are columns of their own, what may be asked of them, and what they give as groups and numbers."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from libs.common.errors import InvalidQuery
from libs.common.query import elements
from libs.common.query.ast import Comparison, Operator
from libs.common.query.attributes import tagged_number, tagged_numbers
from libs.common.query.binding import ALL_OPERATORS, Parameters, any_of, refuse_operator
from libs.common.query.literals import (
    Boolean,
    Number,
    Wildcard,
    duration_nano,
    identifier_hex,
    literal,
    regular_expression,
    spellings,
)

FieldType: TypeAlias = Literal["text", "texts", "duration", "enum", "id", "severity", "number", "body"]
_TEXT_OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
_ORDER_OPERATORS: tuple[Operator, ...] = ALL_OPERATORS[:6]
_EQUALITY: tuple[Operator, ...] = ("=", "!=")


class Field(Protocol):
    """A key with a column. `exists` and `compare` give boolean SQL; `compare` raises InvalidQuery.

    `tagged` is the value as a tagged payload ('' where absent), `number` as Nullable(Float64); None where there is no such
    thing. `listed`: its values are few enough to be offered while one types.
    """

    type: ClassVar[FieldType]
    operators: ClassVar[tuple[Operator, ...]]

    @property
    def sql(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def listed(self) -> bool: ...
    @property
    def names(self) -> tuple[str, ...]: ...

    def exists(self, parameters: Parameters) -> str: ...
    def compare(self, term: Comparison, parameters: Parameters) -> str: ...
    def tagged(self) -> str | None: ...
    def number(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _Base:
    sql: str
    description: str
    listed: bool = False
    unit: str | None = None
    names: tuple[str, ...] = ()

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002 - one form for all fields
        return "true"

    def tagged(self) -> str | None:
        return None

    def number(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class TextField(_Base):
    """A string column where "" means absent."""

    type: ClassVar[FieldType] = "text"
    operators: ClassVar[tuple[Operator, ...]] = _TEXT_OPERATORS

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.sql} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        found = _text_condition(self.sql, term, parameters)
        return found if term.operator in {"=", "=~"} else f"({self.sql} != '' AND NOT {found})"

    def tagged(self) -> str:
        return f"if({self.sql} = '', '', concat('s', {self.sql}))"


@dataclass(frozen=True, slots=True)
class TextsField(_Base):
    """An array of strings, one of which has to fit; `!=` and `!~` hold where there are some and none fits."""

    type: ClassVar[FieldType] = "texts"
    operators: ClassVar[tuple[Operator, ...]] = _TEXT_OPERATORS

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"notEmpty({self.sql})"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        value = literal(term.value)
        if term.operator in {"=", "!="} and not isinstance(value, Wildcard):
            found = any_of([f"has({self.sql}, {parameters.text(text)})" for text in spellings(term.value.text)])
        else:
            found = f"arrayExists(x -> {_text_condition('x', term, parameters)}, {self.sql})"
        return found if term.operator in {"=", "=~"} else f"(notEmpty({self.sql}) AND NOT {found})"


@dataclass(frozen=True, slots=True)
class BodyField(_Base):
    """The log body. `payload` is 's' where it is text, '' where there is none, else the body as a tagged payload."""

    payload: str = ""
    type: ClassVar[FieldType] = "body"
    operators: ClassVar[tuple[Operator, ...]] = ALL_OPERATORS

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.payload} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        value = literal(term.value)
        if term.operator in {">", ">=", "<", "<="}:
            if not isinstance(value, Number):
                raise refuse_operator(term, _TEXT_OPERATORS)
            return any_of(tagged_numbers(self.payload, term.operator, parameters.number(value.value)))
        found = f"({self.payload} = 's' AND {_text_condition(self.sql, term, parameters)})"
        if term.operator in {"=", "!="}:
            others = self._scalars(value, parameters)
            encoded = (
                [
                    f"position({self.payload}, unhex({parameters.text(item.hex())})) > 0"
                    for item in elements.elements(value)
                ]
                if not isinstance(value, Wildcard)
                else []
            )
            if encoded:
                others.append(f"(startsWith({self.payload}, 'a') AND {any_of(encoded)})")
            found = any_of([found, *others])
        return found if term.operator in {"=", "=~"} else f"({self.payload} != '' AND NOT {found})"

    def tagged(self) -> str:
        return f"if({self.payload} = 's', concat('s', {self.sql}), {self.payload})"

    def number(self) -> str:
        return tagged_number(self.tagged())

    def _scalars(self, value: object, parameters: Parameters) -> list[str]:
        match value:
            case Number(number):
                return tagged_numbers(self.payload, "=", parameters.number(number))
            case Boolean(truth):
                return [f"{self.payload} = '{'t' if truth else 'f'}'"]
        return []


@dataclass(frozen=True, slots=True)
class DurationField(_Base):
    """Nanoseconds."""

    unit: str | None = "ns"
    type: ClassVar[FieldType] = "duration"
    operators: ClassVar[tuple[Operator, ...]] = _ORDER_OPERATORS

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        return f"{self.sql} {term.operator} {parameters.number(duration_nano(term.value))}"

    def tagged(self) -> str:
        return f"concat('i', toString({self.sql}))"

    def number(self) -> str:
        return f"toNullable(toFloat64({self.sql}))"


@dataclass(frozen=True, slots=True)
class NumberField(_Base):
    """A number that may be absent; `present` says when it is not."""

    present: str = "true"
    type: ClassVar[FieldType] = "number"
    operators: ClassVar[tuple[Operator, ...]] = _ORDER_OPERATORS

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return self.present

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        value = literal(term.value)
        if not isinstance(value, Number):
            raise InvalidQuery(
                f"{term.key} is a number, and {term.value.text!r} is none.",
                position=term.value.position,
                expected="a number",
            )
        found = f"{self.sql} {term.operator} {parameters.number(value.value)}"
        return found if self.present == "true" else f"({self.present} AND {found})"

    def tagged(self) -> str:
        return f"if({self.present}, concat('d', toString(toFloat64({self.sql}))), '')"

    def number(self) -> str:
        return f"if({self.present} AND isFinite({self.sql}), toFloat64({self.sql}), NULL)"


@dataclass(frozen=True, slots=True)
class EnumField(_Base):
    """A number with a name, always there."""

    type: ClassVar[FieldType] = "enum"
    operators: ClassVar[tuple[Operator, ...]] = _EQUALITY

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        name = term.value.text.lower()
        if name not in self.names:
            raise InvalidQuery(
                f"{term.key} is never {term.value.text!r}.",
                position=term.value.position,
                expected=f"one of {', '.join(self.names)}",
            )
        return f"{self.sql} {term.operator} {parameters.number(self.names.index(name))}"

    def tagged(self) -> str:
        names = ", ".join(f"'{name}'" for name in self.names)
        numbers = ", ".join(str(number) for number in range(len(self.names)))
        return f"concat('s', transform(toInt64({self.sql}), [{numbers}], [{names}], toString({self.sql})))"


@dataclass(frozen=True, slots=True)
class IdField(_Base):
    """Raw bytes, asked for in hex."""

    digits: int = 32
    type: ClassVar[FieldType] = "id"
    operators: ClassVar[tuple[Operator, ...]] = _EQUALITY

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.sql} != ''"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        ids = [f"unhex({parameters.text(digits)})" for digits in identifier_hex(term.value, self.digits)]
        found = f"{self.sql} = {ids[0]}" if len(ids) == 1 else f"{self.sql} IN ({', '.join(ids)})"
        return found if term.operator == "=" else f"({self.sql} != '' AND NOT {found})"

    def tagged(self) -> str:
        return f"if({self.sql} = '', '', concat('s', lower(hex({self.sql}))))"


SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
_SEVERITY_SYNONYMS = {"warning": "warn", "err": "error", "information": "info", "critical": "fatal"}


@dataclass(frozen=True, slots=True)
class SeverityField(_Base):
    """OpenTelemetry's severity number. A name stands for its four numbers, `error2` or 18 for one; `unset` is 0.

    Only `=`, `!=` and NOT see records without a severity: those are neither above nor below a level.
    """

    type: ClassVar[FieldType] = "severity"
    operators: ClassVar[tuple[Operator, ...]] = _ORDER_OPERATORS

    def exists(self, parameters: Parameters) -> str:  # noqa: ARG002
        return f"{self.sql} != 0"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator not in self.operators:
            raise refuse_operator(term, self.operators)
        lowest, highest = _severity_numbers(term)
        low, high = parameters.number(lowest), parameters.number(highest)
        match term.operator:
            case "=":
                return f"{self.sql} BETWEEN {low} AND {high}"
            case "!=":
                return f"{self.sql} NOT BETWEEN {low} AND {high}"
            case ">":
                return f"({self.sql} != 0 AND {self.sql} > {high})"
            case ">=":
                return f"({self.sql} != 0 AND {self.sql} >= {low})"
            case "<":
                return f"({self.sql} != 0 AND {self.sql} < {low})"
            case _:
                return f"({self.sql} != 0 AND {self.sql} <= {high})"

    def tagged(self) -> str:
        names = ", ".join(f"'{name}'" for name in SEVERITIES)
        level = f"arrayElement([{names}], intDiv(toInt64({self.sql}) + 3, 4))"
        return (
            f"concat('s', multiIf({self.sql} = 0, 'unset', {self.sql} BETWEEN 1 AND 24, {level}, toString({self.sql})))"
        )


def _text_condition(sql: str, term: Comparison, parameters: Parameters) -> str:
    """`=` or `=~` of the term, whichever of the two it or its negation is."""
    if term.operator in {"=~", "!~"}:
        return f"match({sql}, {parameters.text(regular_expression(term.value))})"
    value = literal(term.value)
    if isinstance(value, Wildcard):
        return f"{sql} != ''" if value.is_anything else f"{sql} LIKE {parameters.text(value.pattern)}"
    return any_of([f"{sql} = {parameters.text(text)}" for text in spellings(term.value.text)])


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
