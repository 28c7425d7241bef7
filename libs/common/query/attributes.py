"""Conditions on attributes, and their values, which the store keeps in one map per type (schema 0001).

Strings, ints and doubles have a map each; every other value is in a map of tagged payloads: 't'/'f' for booleans, 'a',
'k' and 'b' for arrays, key-value lists and bytes, '' for no value. Resources and data points keep ints ('i' and
decimal digits) and doubles ('d' and digits) among the tagged ones too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from libs.common.errors import InvalidQuery
from libs.common.query import elements
from libs.common.query.ast import Comparison, Operator
from libs.common.query.binding import COMPARISONS, Parameters, any_of
from libs.common.query.literals import (
    Boolean,
    Number,
    String,
    Wildcard,
    literal,
    matches_empty,
    regular_expression,
    spellings,
)


@dataclass(frozen=True, slots=True)
class AttributeMaps:
    """Names of the map columns; `ints` and `doubles` are None where numbers are tagged payloads in `others`."""

    strings: str
    others: str
    ints: str | None = None
    doubles: str | None = None

    def exists(self, key: str, parameters: Parameters) -> str:
        """The record has the key, whatever the value's type, or a map that has it as an entry."""
        return any_of([self._exists(parameters.text(key)), *self._entries_exist(key, parameters)])

    def has(self, key: str, parameters: Parameters) -> str:
        """The record has this very key."""
        return self._exists(parameters.text(key))

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        """`!=` and `!~` hold where the key exists with another value; NOT also holds where it does not exist."""
        name = parameters.text(term.key.name)
        match term.operator:
            case "!=":
                return f"({self._exists(name)} AND NOT {self._equals(name, term, parameters)})"
            case "!~":
                return f"({self._exists(name)} AND NOT {self._matches(name, term, parameters)})"
            case "=~":
                return self._matches(name, term, parameters)
            case "=":
                return any_of([self._equals(name, term, parameters), *self._entries_equal(term, parameters)])
            case operator:
                return self._ordered(name, operator, term, parameters)

    def tagged(self, key: str, parameters: Parameters) -> str:
        """The value as a tagged payload of any type, 's' in front of a string; '' where there is none."""
        name = parameters.text(key)
        choices = [f"mapContains({self.strings}, {name}), concat('s', {self.strings}[{name}])"]
        if self.ints is not None and self.doubles is not None:
            choices += [
                f"mapContains({self.ints}, {name}), concat('i', toString({self.ints}[{name}]))",
                f"mapContains({self.doubles}, {name}), concat('d', toString({self.doubles}[{name}]))",
            ]
        return f"multiIf({', '.join(choices)}, {self.others}[{name}])"

    def number(self, key: str, parameters: Parameters) -> str:
        """The value as a Nullable(Float64): a number, or a string that is one. NaN and infinities are none."""
        name = parameters.text(key)
        if self.ints is None or self.doubles is None:
            return tagged_number(self.tagged(key, parameters))
        return (
            f"multiIf(mapContains({self.ints}, {name}), toNullable(toFloat64({self.ints}[{name}])), "
            f"mapContains({self.doubles}, {name}), if(isFinite({self.doubles}[{name}]), {self.doubles}[{name}], NULL), "
            f"{text_number(f'{self.strings}[{name}]')})"
        )

    def _exists(self, name: str) -> str:
        columns = [column for column in (self.strings, self.ints, self.doubles, self.others) if column]
        return any_of([f"mapContains({column}, {name})" for column in columns])

    def _equals(self, name: str, term: Comparison, parameters: Parameters) -> str:
        value = literal(term.value)
        payload = f"{self.others}[{name}]"
        match value:
            case Wildcard():
                if value.is_anything:
                    return self._exists(name)
                return self._like(name, value, parameters)
            case Number(number, text):
                choices = self._numbers(name, "=", number, parameters)
                choices.append(self._string(name, "=", text, parameters))  # many sources send numbers as text
            case Boolean(truth, text):
                tag = "t" if truth else "f"
                choices = [f"{payload} = '{tag}'", self._string(name, "=", text, parameters)]
            case String(text):
                choices = [self._string(name, "=", spelling, parameters) for spelling in spellings(text)]
        found = any_of([_holds(payload, element, parameters) for element in elements.elements(value)])
        return any_of([*choices, f"(startsWith({payload}, 'a') AND {found})"])

    def _ordered(self, name: str, operator: Operator, term: Comparison, parameters: Parameters) -> str:
        match literal(term.value):
            case Number(number):
                return any_of(self._numbers(name, operator, number, parameters))
            case String(text):
                return self._string(name, operator, text, parameters)
            case Boolean(text=text) | Wildcard(text):
                raise InvalidQuery(
                    f"{text} cannot be compared with {operator}.",
                    position=term.value.position,
                    expected="a number, or text in quotes",
                )

    def _entries(self, key: str, find: Callable[[str, str], str], parameters: Parameters) -> list[str]:
        """`a.b.c` may be entry `c` of a map in attribute `a.b`, or further down in one in `a`."""
        parts = key.split(".")
        places = [(".".join(parts[:split]), parts[-1]) for split in range(1, len(parts))]
        found = []
        for outer, entry in places:
            if outer and entry:
                payload = f"{self.others}[{parameters.text(outer)}]"
                found.append(f"(startsWith({payload}, 'k') AND {find(payload, entry)})")
        # Few records have maps or arrays; for the others the length of the map says so.
        return [f"(notEmpty({self.others}) AND {any_of(found)})"] if found else []

    def _entries_exist(self, key: str, parameters: Parameters) -> list[str]:
        return self._entries(
            key, lambda payload, entry: _holds(payload, elements.entry_start(entry), parameters), parameters
        )

    def _entries_equal(self, term: Comparison, parameters: Parameters) -> list[str]:
        value = literal(term.value)
        if isinstance(value, Wildcard):
            return self._entries_exist(term.key.name, parameters) if value.is_anything else []
        return self._entries(
            term.key.name,
            lambda payload, entry: any_of(
                [_holds(payload, encoded, parameters) for encoded in elements.entries(entry, value)]
            ),
            parameters,
        )

    def _string(self, name: str, operator: Operator, text: str, parameters: Parameters) -> str:
        condition = f"{self.strings}[{name}] {operator} {parameters.text(text)}"
        return self._present(self.strings, name, condition, default_holds=COMPARISONS[operator](b"", text.encode()))

    def _like(self, name: str, value: Wildcard, parameters: Parameters) -> str:
        bound = parameters.text(value.pattern)
        strings = f"{self.strings}[{name}] LIKE {bound}"  # which an absent key's '' is not
        if self.ints is None:
            payload = f"{self.others}[{name}]"
            return any_of([strings, f"(startsWith({payload}, 'i') AND substring({payload}, 2) LIKE {bound})"])
        return any_of([strings, f"(mapContains({self.ints}, {name}) AND toString({self.ints}[{name}]) LIKE {bound})"])

    def _numbers(self, name: str, operator: Operator, number: float, parameters: Parameters) -> list[str]:
        bound = parameters.number(number)
        if self.ints is None or self.doubles is None:
            return tagged_numbers(f"{self.others}[{name}]", operator, bound)
        default_holds = COMPARISONS[operator](0, number)
        bounds = [(self.doubles, bound)]
        if operator != "=" or isinstance(number, int):
            bounds.insert(0, (self.ints, bound))
        elif number.is_integer() and -(2**63) <= number < 2**63:
            # The index over ints takes no float, not even one that is whole; any other equals no int.
            bounds.insert(0, (self.ints, parameters.number(int(number))))
        return [
            self._present(column, name, f"{column}[{name}] {operator} {limit}", default_holds=default_holds)
            for column, limit in bounds
        ]

    def _matches(self, name: str, term: Comparison, parameters: Parameters) -> str:
        """The expression is found in a string, or in an int's decimal digits (so that =~"^5" finds status codes)."""
        pattern = regular_expression(term.value)
        bound = parameters.text(pattern)
        strings = self._present(
            self.strings, name, f"match({self.strings}[{name}], {bound})", default_holds=matches_empty(pattern)
        )
        if self.ints is None:
            payload = f"{self.others}[{name}]"
            return any_of([strings, f"(startsWith({payload}, 'i') AND match(substring({payload}, 2), {bound}))"])
        return any_of(
            [strings, f"(mapContains({self.ints}, {name}) AND match(toString({self.ints}[{name}]), {bound}))"]
        )

    @staticmethod
    def _present(column: str, name: str, condition: str, *, default_holds: bool) -> str:
        # A map gives the type's default for an absent key. Asking for the key costs another read, so it is asked only
        # where the default would pass.
        return f"(mapContains({column}, {name}) AND {condition})" if default_holds else condition


def tagged_numbers(payload: str, operator: Operator, bound: str) -> list[str]:
    """Conditions of which one holds if the tagged payload is a number that compares so."""
    digits = f"substring({payload}, 2)"
    return [
        f"(startsWith({payload}, 'i') AND toInt64OrZero({digits}) {operator} {bound})",
        f"(startsWith({payload}, 'd') AND toFloat64OrZero({digits}) {operator} {bound})",
    ]


def tagged_number(payload: str) -> str:
    """A tagged payload as Nullable(Float64): a number, or a string that is one."""
    return f"if(substring({payload}, 1, 1) IN ('i', 'd', 's'), {text_number(f'substring({payload}, 2)')}, NULL)"


def text_number(text: str) -> str:
    """A text as Nullable(Float64). What the store reads as infinite or NaN is text to whoever wrote it."""
    number = f"toFloat64OrNull({text})"
    return f"if(isFinite({number}), {number}, NULL)"


def _holds(payload: str, encoded: bytes, parameters: Parameters) -> str:
    # In hex, since the bytes of an encoding are no text.
    return f"position({payload}, unhex({parameters.text(encoded.hex())})) > 0"
