"""Text to structured query.

    text       = [ "from" signal ] [ condition ] { "|" stage }
    stage      = aggregates [ "by" keys ] | "by" keys
               | "having" aggregate operator value { ( "," | "and" ) aggregate operator value }
               | "order" [ "by" ] order { "," order }     order = ( aggregate | key ) [ "asc" | "desc" ]
               | "limit" number | "top" number | "bottom" number
               | "series" [ step ] | "compare" ( "previous" | "week" | time time )
    aggregate  = ( "count" | "rate" | "error_rate" ) "()" | "share" "(" condition ")"
               | ( "sum" | "avg" | "min" | "max" | "count_distinct" | "p" number ) "(" key ")"

The condition is described in parser.py. `top 10` is the order by the first aggregate, largest first, and a limit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from libs.common.errors import InvalidQuery
from libs.common.query.ast import PIPE, Key, Value
from libs.common.query.literals import duration_nano
from libs.common.query.parser import ConditionParser, check_text
from libs.common.query.scanner import Scanner
from libs.common.query.signals import Signal
from libs.common.query.structured import (
    MAX_AGGREGATES,
    MAX_GROUP_KEYS,
    MAX_LIMIT,
    ORDERINGS,
    PERCENTILE,
    PLAIN_FUNCTIONS,
    VALUE_FUNCTIONS,
    Aggregate,
    Compare,
    Function,
    Order,
    Series,
    StructuredQuery,
    Threshold,
)

T = TypeVar("T")

_STAGES = ("by", "having", "order", "limit", "top", "bottom", "series", "compare")
_AGGREGATES = "count(), rate(), error_rate(), share(condition), sum, avg, min, max, count_distinct or p95 of (key)"
_SECOND = 10**9
MAX_STEP_SECONDS = 32 * 86400


def parse_structured(text: str) -> StructuredQuery:
    """The query. Raises InvalidQuery, which points at the character, and nothing else."""
    check_text(text)
    return _StructuredParser(Scanner(text), Signal.SPANS).query()


def parse_aggregate(text: str, signal: Signal) -> Aggregate:
    """An aggregate alone. Raises InvalidQuery."""
    check_text(text)
    return _alone(text, signal, lambda parser: parser.aggregate())


def parse_group_key(text: str) -> Key:
    """A key as it stands in a list: one with a comma has to be in quotes. Raises InvalidQuery."""
    check_text(text)
    return _alone(text, Signal.SPANS, lambda parser: parser.key())


def check_structured(query: StructuredQuery) -> StructuredQuery:
    """The query itself. Raises InvalidQuery where its parts do not go together, whichever form they came in."""
    position = query.aggregates[0].position if query.aggregates else 0
    if not query.aggregates:
        needing = {"having": query.having, "order": query.order, "by": query.group_by}
        needing |= {"series": (query.series,) * bool(query.series), "compare": (query.compare,) * bool(query.compare)}
        for stage, asked in needing.items():
            if asked:
                raise InvalidQuery(
                    f"'{stage}' is for aggregates, and there are none.", position=0, expected=f"one of {_AGGREGATES}"
                )
    if len(query.aggregates) > MAX_AGGREGATES or len(query.group_by) > MAX_GROUP_KEYS:
        raise InvalidQuery(
            "The query asks for too much at once.",
            position=position,
            expected=f"at most {MAX_AGGREGATES} aggregates by at most {MAX_GROUP_KEYS} keys",
        )
    if query.limit is not None and not 1 <= query.limit <= MAX_LIMIT:
        raise InvalidQuery(f"{query.limit} is no limit.", position=position, expected=f"a number from 1 to {MAX_LIMIT}")
    for order in query.order:
        if isinstance(order.by, Key) and order.by not in query.group_by:
            raise InvalidQuery(
                f"The groups cannot be ordered by {order.by}, which they are not made by.",
                position=order.by.position,
                expected="an aggregate, or a key of 'by'",
            )
    return query


def _alone(text: str, signal: Signal, read: "Callable[[_StructuredParser], T]") -> T:
    scanner = Scanner(text)
    found = read(_StructuredParser(scanner, signal))
    if not scanner.at_end():
        raise InvalidQuery(
            f"There is more behind it at position {scanner.position}.",
            position=scanner.position,
            expected="nothing more",
        )
    return found


class _StructuredParser:
    def __init__(self, scanner: Scanner, signal: Signal) -> None:
        self._scanner = scanner
        self._signal = signal
        self._conditions = ConditionParser(scanner, traces=signal is Signal.TRACES)

    def query(self) -> StructuredQuery:
        self._read_signal()
        found = StructuredQuery(self._signal, self._conditions.condition())
        seen: set[str] = set()
        while not self._scanner.at_end():
            position = self._position()
            if not self._word(PIPE):
                raise InvalidQuery(
                    f"The query cannot go on with {self._scanner.text[position : position + 20]!r}.",
                    position=position,
                    expected="a term, or '|' and a stage",
                )
            found = self._stage(found, seen)
        return check_structured(found)

    def aggregate(self) -> Aggregate:
        position = self._position()
        name = self._scanner.word() or ""
        if not self._scanner.take("("):
            self._scanner.position = position
            raise InvalidQuery(
                f"There is no aggregate at position {position}.", position=position, expected=f"one of {_AGGREGATES}"
            )
        found = self._of(name, position)
        if not self._scanner.take(")"):
            raise InvalidQuery(
                f"The parenthesis of {name} is never closed.",
                position=self._position(),
                expected="a closing parenthesis",
            )
        return found

    def order(self) -> Order:
        by = self.aggregate() if self._is_aggregate() else self.key()
        if self._word("desc"):
            return Order(by, descending=True)
        if self._word("asc"):
            return Order(by, descending=False)
        return Order(by, descending=isinstance(by, Aggregate))

    def key(self) -> Key:
        """A key of a list, in which a comma separates."""
        self._scanner.in_list = True
        try:
            return self._conditions.key()
        finally:
            self._scanner.in_list = False

    def _read_signal(self) -> None:
        start = self._scanner.position
        if self._word("from"):
            word = self._scanner.word()
            if word in set(Signal):
                self._signal = Signal(word)
                self._conditions = ConditionParser(self._scanner, traces=self._signal is Signal.TRACES)
                return
        self._scanner.position = start

    def _stage(self, query: StructuredQuery, seen: set[str]) -> StructuredQuery:
        position = self._position()
        name = "aggregates" if self._is_aggregate() else self._scanner.word() or ""
        if name not in {"aggregates", *_STAGES}:
            raise InvalidQuery(
                f"There is no stage at position {position}.",
                position=position,
                expected=f"aggregates, as in count() by service, or one of {', '.join(_STAGES)}",
            )
        kind = {"by": "aggregates", "top": "order", "bottom": "order"}.get(name, name)
        if kind in seen or (name in {"top", "bottom"} and "limit" in seen):
            raise InvalidQuery(
                f"'{name}' at position {position} was said before.", position=position, expected="each stage once"
            )
        seen.add(kind)
        match name:
            case "aggregates":
                found = replace(query, aggregates=tuple(self._list(self.aggregate)))
                return replace(found, group_by=tuple(self._list(self.key))) if self._word("by") else found
            case "by":
                return replace(query, aggregates=(Aggregate("count"),), group_by=tuple(self._list(self.key)))
            case "having":
                return replace(query, having=tuple(self._list(self._threshold, also="and")))
            case "order":
                self._word("by")
                return replace(query, order=tuple(self._list(self.order)))
            case "limit":
                return replace(query, limit=self._count())
            case "series":
                return replace(query, series=self._series())
            case "compare":
                return replace(query, compare=self._compare())
            case _:
                seen.add("limit")
                if not query.aggregates:
                    raise InvalidQuery(
                        f"'{name}' is for aggregates, and there are none before it.",
                        position=position,
                        expected=f"one of {_AGGREGATES}",
                    )
                order = Order(replace(query.aggregates[0], position=position), descending=name == "top")
                return replace(query, order=(order,), limit=self._count())

    def _of(self, name: str, position: int) -> Aggregate:
        percentile = PERCENTILE.fullmatch(name)
        if name in PLAIN_FUNCTIONS:
            return Aggregate(name, position=position)
        if name == "share":
            condition = self._conditions.condition()
            if condition is None:
                raise InvalidQuery(
                    "A share is that of a condition.",
                    position=self._position(),
                    expected="a condition, as in share(status=error)",
                )
            return Aggregate("share", condition=condition, position=position)
        if name in VALUE_FUNCTIONS or percentile is not None:
            key = self.key()
            if percentile is not None:
                return Aggregate("percentile", key, percentile=percentile[1], position=position)
            return Aggregate(cast("Function", name), key, position=position)
        raise InvalidQuery(f"There is no aggregate {name!r}.", position=position, expected=f"one of {_AGGREGATES}")

    def _threshold(self) -> Threshold:
        aggregate = self.aggregate()
        position = self._position()
        operator = self._scanner.operator()
        if operator is None or operator not in ORDERINGS:
            raise InvalidQuery(
                f"There is no comparison at position {position}.",
                position=position,
                expected=f"one of {' '.join(ORDERINGS)}",
            )
        self._scanner.in_list = True
        try:
            value: Value = self._scanner.value()
        finally:
            self._scanner.in_list = False
        return Threshold(aggregate, operator, value)

    def _series(self) -> Series:
        position = self._position()
        text = self._scanner.number()
        if text is None:
            return Series()
        seconds, rest = divmod(duration_nano(Value(text, position=position)), _SECOND)
        if rest or not 1 <= seconds <= MAX_STEP_SECONDS:
            raise InvalidQuery(
                f"{text} is no step.",
                position=position,
                expected="a whole number of seconds or more, as in 30s, 5m or 1h",
            )
        return Series(seconds)

    def _compare(self) -> Compare:
        position = self._position()
        word = self._scanner.word()
        if word in {"previous", "week"}:
            return Compare("previous" if word == "previous" else "week")
        end = self._scanner.word()
        if word in {None, PIPE} or end in {None, PIPE}:
            raise InvalidQuery(
                "There is nothing to compare with.",
                position=position,
                expected="previous, week, or two times, from and to",
            )
        return Compare("range", str(word), str(end))

    def _count(self) -> int:
        position = self._position()
        text = self._scanner.number() or ""
        if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= MAX_LIMIT:
            raise InvalidQuery(
                f"There is no number at position {position}.",
                position=position,
                expected=f"a number from 1 to {MAX_LIMIT}",
            )
        return int(text)

    def _list(self, read: Callable[[], T], *, also: str | None = None) -> list[T]:
        found = [read()]
        while self._scanner.take(",") or (also is not None and (self._word(also) or self._word(also.upper()))):
            found.append(read())
        return found

    def _is_aggregate(self) -> bool:
        start = self._scanner.position
        word = self._scanner.word()
        is_call = word is not None and self._scanner.text[self._scanner.position : self._scanner.position + 1] == "("
        self._scanner.position = start
        return is_call

    def _word(self, wanted: str) -> bool:
        start = self._scanner.position
        self._scanner.in_list = True
        found = self._scanner.word() == wanted
        self._scanner.in_list = False
        if not found:
            self._scanner.position = start
        return found

    def _position(self) -> int:
        self._scanner.peek()
        return self._scanner.position
