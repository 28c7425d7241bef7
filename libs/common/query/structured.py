"""The structured query: a condition on a signal, and what is counted, by what, in which order and beside what.

Text, as in `from logs severity>=warn | count(), p95(body.ms) by service | having count() > 10 | top 10 | series 5m`, and a JSON
form (forms.py) say the same and turn into each other without loss. Nodes compare by meaning; positions are left out.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from libs.common.query.ast import Key, Operator, Query, Value, to_text
from libs.common.query.signals import Signal

Function: TypeAlias = Literal[
    "count", "rate", "error_rate", "share", "sum", "avg", "min", "max", "percentile", "count_distinct"
]
# Of records, of a condition on records, and of a value of records.
PLAIN_FUNCTIONS: tuple[Function, ...] = ("count", "rate", "error_rate")
VALUE_FUNCTIONS: tuple[Function, ...] = ("sum", "avg", "min", "max", "count_distinct")
PERCENTILE = re.compile(r"p(100|[0-9]{1,2}(?:\.[0-9]{1,3})?)")
ORDERINGS: tuple[Operator, ...] = (">", ">=", "<", "<=", "=", "!=")

MAX_AGGREGATES = 10
MAX_GROUP_KEYS = 5
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`key` is what `sum` and its kin are taken of, `condition` what `share` is the share of; `percentile` is in percent."""

    function: Function
    key: Key | None = None
    condition: Query | None = None
    percentile: str = ""
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        name = f"p{self.percentile}" if self.function == "percentile" else self.function
        inside = str(self.key) if self.key is not None else to_text(self.condition) if self.condition else ""
        return f"{name}({inside})"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Keeps groups of which the aggregate compares so; all thresholds have to hold."""

    aggregate: Aggregate
    operator: Operator
    value: Value

    def __str__(self) -> str:
        return f"{self.aggregate} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class Order:
    """By an aggregate, asked for or not, or by a key of `group_by`."""

    by: Aggregate | Key
    descending: bool

    def __str__(self) -> str:
        return f"{self.by} {'desc' if self.descending else 'asc'}"


@dataclass(frozen=True, slots=True)
class Series:
    """Aggregates by step of time; without a step one is chosen for the range."""

    step_seconds: int | None = None

    def __str__(self) -> str:
        return "series" if self.step_seconds is None else f"series {self.step_seconds}s"


@dataclass(frozen=True, slots=True)
class Compare:
    """The same question about another range: the one before, the same a week earlier, or `start` to `end`, as written."""

    to: Literal["previous", "week", "range"]
    start: str = ""
    end: str = ""

    def __str__(self) -> str:
        return f"compare {self.start} {self.end}" if self.to == "range" else f"compare {self.to}"


@dataclass(frozen=True, slots=True)
class StructuredQuery:
    """Without aggregates it lists records, the newest first."""

    signal: Signal = Signal.SPANS
    condition: Query | None = None
    aggregates: tuple[Aggregate, ...] = ()
    group_by: tuple[Key, ...] = ()
    having: tuple[Threshold, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    series: Series | None = None
    compare: Compare | None = None

    def __str__(self) -> str:
        """The query in its text form; parsing it gives an equal one."""
        condition = to_text(self.condition) if self.condition is not None else ""
        named = self.signal is not Signal.SPANS or condition.startswith("from ")
        stages = [f"from {self.signal} {condition}".rstrip() if named else condition]
        if self.aggregates:
            by = f" by {', '.join(map(str, self.group_by))}" if self.group_by else ""
            stages.append(", ".join(map(str, self.aggregates)) + by)
        if self.having:
            stages.append(f"having {', '.join(map(str, self.having))}")
        if self.order:
            stages.append(f"order {', '.join(map(str, self.order))}")
        if self.limit is not None:
            stages.append(f"limit {self.limit}")
        stages += [str(stage) for stage in (self.series, self.compare) if stage is not None]
        return " | ".join(stages).strip()
