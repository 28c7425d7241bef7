"""Parameters of a statement under construction. Text of the caller's never becomes SQL: it is bound, and named here."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Comparison, Operator

ParameterType = Literal["String", "Int64", "Float64", "Array(String)"]

# The store's operator and Python's for each comparison that orders or equals.
COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
ALL_OPERATORS: tuple[Operator, ...] = ("=", "!=", ">", ">=", "<", "<=", "=~", "!~")


class Parameters:
    """Collects values; `add` gives the placeholder that stands for one in the SQL text."""

    def __init__(self, prefix: str = "q") -> None:
        self._prefix = prefix
        self.values: dict[str, object] = {}

    def add(self, value: object, kind: ParameterType) -> str:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        return self.add(value, "String")

    def number(self, value: float) -> str:
        """An int in the range of Int64, or a finite float."""
        return self.add(value, "Int64" if isinstance(value, int) else "Float64")


def refuse_operator(term: Comparison, allowed: tuple[Operator, ...]) -> InvalidQuery:
    """The error for an operator the key does not know."""
    return InvalidQuery(
        f"{term.key} cannot be compared with {term.operator}.",
        position=term.position,
        expected=f"one of {' '.join(allowed)}",
    )


def any_of(choices: Sequence[str]) -> str:
    """SQL of which one choice has to hold. At least one choice."""
    return choices[0] if len(choices) == 1 else f"({' OR '.join(choices)})"
