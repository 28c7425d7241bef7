"""Conditions on attributes, which the store keeps in one map per type (schema 0001).

Strings, ints and doubles have a map each; every other value is in a map of tagged payloads: 't'/'f' for booleans, 'a',
'k' and 'b' for arrays, key-value lists and bytes, '' for no value. Resources and data points keep ints ('i' and
decimal digits) and doubles ('d' and digits) among the tagged ones too.
"""

from dataclasses import dataclass

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Comparison, Operator
from libs.common.query.binding import COMPARISONS, Parameters
from libs.common.query.literals import Boolean, Number, String, literal, matches_empty, regular_expression


@dataclass(frozen=True, slots=True)
class AttributeMaps:
    """Names of the map columns; `ints` and `doubles` are None where numbers are tagged payloads in `others`."""

    strings: str
    others: str
    ints: str | None = None
    doubles: str | None = None

    def exists(self, key: str, parameters: Parameters) -> str:
        """The record has the key, whatever the value's type."""
        return self._exists(parameters.text(key))

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        """`!=` and `!~` hold where the key exists with another value; NOT also holds where it does not exist."""
        name = parameters.text(term.key.name)
        match term.operator:
            case "!=":
                return f"({self._exists(name)} AND NOT {self._holds(name, '=', term, parameters)})"
            case "!~":
                return f"({self._exists(name)} AND NOT {self._matches(name, term, parameters)})"
            case "=~":
                return self._matches(name, term, parameters)
            case operator:
                return self._holds(name, operator, term, parameters)

    def _exists(self, name: str) -> str:
        columns = [column for column in (self.strings, self.ints, self.doubles, self.others) if column]
        return _any([f"mapContains({column}, {name})" for column in columns])

    def _holds(self, name: str, operator: Operator, term: Comparison, parameters: Parameters) -> str:
        match literal(term.value):
            case Number(number, text):
                choices = self._numbers(name, operator, number, parameters)
                if operator == "=":  # many sources send numbers as text
                    choices.append(self._string(name, operator, text, parameters))
                return _any(choices)
            case Boolean(truth, text):
                if operator != "=":
                    raise InvalidQuery(
                        f"{text} cannot be compared with {operator}.",
                        position=term.value.position,
                        expected="a number, or text in quotes",
                    )
                tag = "t" if truth else "f"
                return _any([f"{self.others}[{name}] = '{tag}'", self._string(name, operator, text, parameters)])
            case String(text):
                return self._string(name, operator, text, parameters)

    def _string(self, name: str, operator: Operator, text: str, parameters: Parameters) -> str:
        condition = f"{self.strings}[{name}] {operator} {parameters.text(text)}"
        return self._present(self.strings, name, condition, default_holds=COMPARISONS[operator](b"", text.encode()))

    def _numbers(self, name: str, operator: Operator, number: float, parameters: Parameters) -> list[str]:
        bound = parameters.number(number)
        if self.ints is None or self.doubles is None:
            payload = f"{self.others}[{name}]"
            digits = f"substring({payload}, 2)"
            return [
                f"(startsWith({payload}, 'i') AND toInt64OrZero({digits}) {operator} {bound})",
                f"(startsWith({payload}, 'd') AND toFloat64OrZero({digits}) {operator} {bound})",
            ]
        default_holds = COMPARISONS[operator](0, number)
        return [
            self._present(column, name, f"{column}[{name}] {operator} {bound}", default_holds=default_holds)
            for column in (self.ints, self.doubles)
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
            return _any([strings, f"(startsWith({payload}, 'i') AND match(substring({payload}, 2), {bound}))"])
        return _any([strings, f"(mapContains({self.ints}, {name}) AND match(toString({self.ints}[{name}]), {bound}))"])

    @staticmethod
    def _present(column: str, name: str, condition: str, *, default_holds: bool) -> str:
        # A map gives the type's default for an absent key. Asking for the key costs another read, so it is asked only
        # where the default would pass.
        return f"(mapContains({column}, {name}) AND {condition})" if default_holds else condition


def _any(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"({' OR '.join(choices)})"
