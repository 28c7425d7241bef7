"""Structured query to plans: one for the groups and their aggregates, one for the series of the groups that were chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Key, Text, Value, terms
from libs.common.query.binding import Parameters
from libs.common.query.compiler import RecordCompiler, ResourceScope, fallback_keys
from libs.common.query.literals import Number, duration_nano, literal
from libs.common.query.plan import Column, Plan
from libs.common.query.signals import SIGNALS, Signal
from libs.common.query.structured import DEFAULT_LIMIT, Aggregate, Order, StructuredQuery
from libs.common.query.traces import TraceCompiler

ColumnKind: TypeAlias = Literal["time", "group", "aggregate", "field"]
_SECOND = 10**9
_RATIO = "1"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of the answer: the text that names it, and its unit (UCUM) if it is a number with one."""

    name: str
    kind: ColumnKind
    unit: str | None = None


def keys_of(query: StructuredQuery) -> list[Key]:
    """Every key that the query reads, but for those of its condition."""
    aggregates = [*query.aggregates, *(threshold.aggregate for threshold in query.having)]
    aggregates += [order.by for order in query.order if isinstance(order.by, Aggregate)]
    found = [*query.group_by, *(aggregate.key for aggregate in aggregates if aggregate.key is not None)]
    for aggregate in aggregates:
        found += [leaf.key for leaf in terms(aggregate.condition) if not isinstance(leaf, Text)]
    return found


def resource_keys(query: StructuredQuery) -> frozenset[str]:
    """Attribute keys that may be on the resource."""
    others = [] if query.signal is Signal.TRACES else keys_of(query)
    return fallback_keys(query.condition, query.signal, others, SIGNALS[query.signal])


class Planner:
    """Plans of one query. What a plan binds beside its own parameters: `tenant`, `from`, `to` (and, of traces, the padded ones)."""

    def __init__(self, query: StructuredQuery, resources: ResourceScope) -> None:
        self._query = query
        self._resources = resources
        self._definition = SIGNALS[query.signal]

    def columns(self) -> list[ResultColumn]:
        """What the answer's columns are. Raises InvalidQuery."""
        query, work = self._query, self._work()
        if not query.aggregates:
            fields = self._listed()
            units = [
                self._definition.fields[name].unit if query.signal is not Signal.TRACES else work.number_unit(name)
                for name in fields
            ]
            return [
                ResultColumn("time", "time"),
                *(ResultColumn(name, "field", unit) for name, unit in zip(fields, units, strict=True)),
            ]
        groups = [ResultColumn(str(key), "group") for key in query.group_by]
        return groups + [ResultColumn(str(item), "aggregate", work.aggregate(item)[1]) for item in query.aggregates]

    def table(self, *, seconds: float, chosen: bool = False) -> Plan:
        """Groups and aggregates of a range of so many seconds, one group more than the limit.

        `chosen`: of the groups in parameter `groups` only, in no order.
        """
        query, work = self._query, self._work(seconds=f"{seconds!r}")
        if not query.aggregates:
            return self._listing(work)
        groups = work.groups(query.group_by)
        aggregates = [Column(f"value_{index}", work.aggregate(item)[0]) for index, item in enumerate(query.aggregates)]
        having = [] if chosen else [work.threshold(item.aggregate, item.operator, item.value) for item in query.having]
        order = (
            []
            if chosen
            else [*(work.order(item, query.group_by) for item in self._order()), *(group.name for group in groups)]
        )
        where = [*work.where(query), *([work.chosen(groups)] if chosen else [])]
        limit = None if chosen or not groups else (query.limit or DEFAULT_LIMIT) + 1
        return work.plan(where=where, groups=groups, aggregates=aggregates, having=having, order=order, limit=limit)

    def page(self, size: int) -> Plan:
        """Traces that fit, `id` in hex and `began` in unix nanoseconds, newest first, before (`before`, `before_trace`)."""
        work = self._work()
        before = "(fromUnixTimestamp64Nano({before:Int64}, 'UTC'), unhex({before_trace:String}))"
        return work.plan(
            where=[*work.where(self._query), f"(trace_time, trace_id) < {before}"],
            groups=[Column("id", "lower(hex(trace_id))"), Column("began", "toUnixTimestamp64Nano(trace_time)")],
            order=["trace_time DESC", "trace_id DESC"],
            limit=size,
        )

    def series(self, step: int, *, chosen: bool) -> Plan:
        """Aggregates per group and step (`bucket` counts steps since 1970), of the groups in parameter `groups` if `chosen`."""
        query = self._query
        width = step * _SECOND
        start, end = f"greatest(bucket * {width}, {{from:Int64}})", f"least((bucket + 1) * {width}, {{to:Int64}})"
        # The first and last step may be partly outside the range, and a rate is per second of what is inside.
        work = self._work(seconds=f"(({end} - {start}) / {_SECOND})")
        bucket = Column("bucket", f"intDiv(toUnixTimestamp64Nano({work.time}), {width})")
        groups = work.groups(query.group_by)
        aggregates = [Column(f"value_{index}", work.aggregate(item)[0]) for index, item in enumerate(query.aggregates)]
        where = [*work.where(query), *([work.chosen(groups)] if chosen and groups else [])]
        return work.plan(where=where, groups=[bucket, *groups], aggregates=aggregates, order=["bucket"])

    def _order(self) -> Sequence[Order]:
        """The query's order; the first aggregate, largest first, where it says none."""
        return self._query.order or (Order(self._query.aggregates[0], descending=True),)

    def _listed(self) -> Sequence[str]:
        if self._query.signal is Signal.TRACES:
            return (
                "trace_id",
                "root.service",
                "root.operation",
                "trace.duration",
                "trace.span_count",
                "trace.error_count",
            )
        return self._definition.listing

    def _listing(self, work: "_Work") -> Plan:
        columns = [Column("time_unix_nano", f"toUnixTimestamp64Nano({work.time})")]
        columns += [
            Column(f"field_{index}", f"hex({work.compiler.tagged(_key(name))})")
            for index, name in enumerate(self._listed())
        ]
        limit = (self._query.limit or DEFAULT_LIMIT) + 1
        return work.plan(where=work.where(self._query), groups=columns, order=[f"{work.time} DESC"], limit=limit)

    def _work(self, seconds: str = "1") -> "_Work":
        return _Work(self._query.signal, self._resources, seconds)


class _Work:
    """One statement in the making, with parameters of its own."""

    def __init__(self, signal: Signal, resources: ResourceScope, seconds: str) -> None:
        parameters = Parameters()
        self._signal = signal
        self._definition = SIGNALS[signal]
        self._seconds = seconds
        self.compiler: RecordCompiler | TraceCompiler = (
            TraceCompiler(resources, parameters)
            if signal is Signal.TRACES
            else RecordCompiler(self._definition, resources, parameters)
        )
        self.time = "trace_time" if signal is Signal.TRACES else "time"

    def where(self, query: StructuredQuery) -> list[str]:
        conditions = [] if self._signal is Signal.TRACES else [self._definition.window()]
        if query.condition is not None:
            conditions.append(self.compiler.condition(query.condition))
        return conditions

    def groups(self, keys: Sequence[Key]) -> list[Column]:
        return [Column(f"group_{index}", f"hex({self.compiler.tagged(key)})") for index, key in enumerate(keys)]

    def chosen(self, groups: Sequence[Column]) -> str:
        return f"{_joined(groups)} IN {{groups:Array(String)}}"

    def number_unit(self, name: str) -> str | None:
        try:
            return self.compiler.number(_key(name))[1]
        except InvalidQuery:
            return None

    def aggregate(self, aggregate: Aggregate) -> tuple[str, str | None]:
        """SQL and unit."""
        row = f"{{{self._row()}}}"
        match aggregate.function:
            case "count":
                return "count()", row
            case "rate":
                return f"count() / {self._seconds}", f"{row}/s"
            case "error_rate":
                return f"countIf({self._error(aggregate)}) / count()", _RATIO
            case "share":
                assert aggregate.condition is not None
                return f"countIf({self._share(aggregate)}) / count()", _RATIO
        assert aggregate.key is not None
        if aggregate.function == "count_distinct":
            tagged = self.compiler.tagged(aggregate.key)
            return f"uniqExactIf({tagged}, {tagged} != '')", None
        number, unit = self.compiler.number(aggregate.key)
        if aggregate.function == "percentile":
            return f"quantileExactInclusive({float(aggregate.percentile) / 100!r})({number})", unit
        return f"{aggregate.function}({number})", unit

    def threshold(self, aggregate: Aggregate, operator: str, value: Value) -> str:
        sql, unit = self.aggregate(aggregate)
        bound = self.compiler.parameters.number(_threshold_value(value, unit))
        return f"{sql} {operator} {bound}"

    def order(self, order: Order, keys: Sequence[Key]) -> str:
        by = f"group_{keys.index(order.by)}" if isinstance(order.by, Key) else self.aggregate(order.by)[0]
        return f"{by} {'DESC' if order.descending else 'ASC'} NULLS LAST"

    def plan(
        self,
        *,
        where: Sequence[str],
        groups: Sequence[Column],
        aggregates: Sequence[Column] = (),
        having: Sequence[str] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> Plan:
        compiler = self.compiler
        joins: list[str] = []
        if isinstance(compiler, TraceCompiler):
            source = compiler.relation()
        else:
            source = self._definition.table
            if self._definition.series is not None:
                joins.append(f"ANY INNER JOIN {self._definition.series} AS joined_series USING (series)")
            if joined := compiler.joined_resources():
                joins.append(f"ANY LEFT JOIN {joined} AS joined_resources USING (resource_fingerprint)")
        parameters: Mapping[str, object] = compiler.parameters.values
        return Plan(source, where, groups, aggregates, joins, having, order, limit, parameters)

    def _row(self) -> str:
        return "traces" if self._signal is Signal.TRACES else self._definition.row

    def _error(self, aggregate: Aggregate) -> str:
        if self._signal is Signal.TRACES:
            return "error_count > 0"
        if self._definition.error is None:
            raise InvalidQuery(
                f"{self._definition.row.capitalize()} are no errors, so they have no error rate.",
                position=aggregate.position,
                expected="share(condition), or the signal spans, traces or logs",
            )
        return self._definition.error

    def _share(self, aggregate: Aggregate) -> str:
        assert aggregate.condition is not None
        if isinstance(self.compiler, TraceCompiler):
            return self.compiler.share(aggregate.condition)
        return self.compiler.condition(aggregate.condition)


def group_key(values: Sequence[str]) -> str:
    """What parameter `groups` holds of a group, from its columns as they come."""
    return "/".join(values)


def _joined(groups: Sequence[Column]) -> str:
    return (
        groups[0].name if len(groups) == 1 else f"concatWithSeparator('/', {', '.join(group.name for group in groups)})"
    )


def _key(name: str) -> Key:
    for scope in ("scope", "event", "link"):
        if name.startswith(f"{scope}."):
            return Key(name.removeprefix(f"{scope}."), scope)
    return Key(name)


def _threshold_value(value: Value, unit: str | None) -> float:
    if unit == "ns":
        return duration_nano(value)
    percent = unit == _RATIO and value.text.endswith("%")
    number = literal(Value(value.text.removesuffix("%")) if percent else value)
    if not isinstance(number, Number):
        raise InvalidQuery(
            f"{value.text!r} is no number.",
            position=value.position,
            expected="a share, as in 0.05 or 5%" if unit == _RATIO else "a number",
        )
    return number.value / 100 if percent else number.value
