"""Whole traces as rows: a relation made of their spans, and conditions on it.

A trace belongs to the range in which its first span lies. Its spans are read up to `PADDING` before and after the range, so
that it is whole unless it lasted longer. Sets of spans are answered by `trace_id IN (...)`, and where every trace has to be
among them, they keep the spans of all others from being read.
"""

from collections.abc import Iterator

from libs.common.errors import InvalidQuery
from libs.common.query.ast import (
    And,
    Comparison,
    Exists,
    Key,
    Not,
    Or,
    Query,
    SpanPath,
    SpanSet,
    conjunction,
    disjunction,
)
from libs.common.query.binding import Parameters
from libs.common.query.compiler import Condition, RecordCompiler, ResourceScope
from libs.common.query.fields import Field, IdField
from libs.common.query.signals import SIGNALS, TRACE_FIELDS, Signal

PADDING_SECONDS = 3600
# Deeper than anybody nests calls; a cycle of parents ends here.
MAX_DEPTH = 64
_SPANS = SIGNALS[Signal.SPANS]
_TABLE = _SPANS.table
_WINDOW = _SPANS.window("traces_from", "traces_to")
_FIELDS = {**TRACE_FIELDS, "trace_id": IdField("trace_id", "Trace id in hex.", digits=32)}
_ROOT_FIELDS = frozenset({"root.service", "root.operation"})


class TraceCompiler:
    """Writes SQL about whole traces. Binds `tenant`, the range of the whole question (`range_from`, `range_to`) and
    the padded one (`traces_from`, `traces_to`).
    """

    def __init__(self, resources: ResourceScope, parameters: Parameters) -> None:
        self._spans = RecordCompiler(_SPANS, resources, parameters)
        self.parameters = parameters
        self._pushed: list[str] = []
        self._needs_root = False
        self._paths = 0

    def condition(self, query: Query) -> str:
        """A condition on rows of the relation; `relation` is to be asked for after it. Raises InvalidQuery."""
        conditions = []
        whole = by_trace(query)
        for item in whole.items if isinstance(whole, And) else (whole,):
            if isinstance(item, SpanSet | SpanPath):
                self._pushed.append(self._compile(item))
            else:
                conditions.append(self._compile(item))
        return " AND ".join(conditions) or "true"

    def share(self, query: Query) -> str:
        """A condition on rows that does not narrow the relation. Raises InvalidQuery."""
        return self._compile(by_trace(query))

    def tagged(self, key: Key) -> str:
        """As of RecordCompiler, for fields of traces."""
        found = self._field(key).tagged()
        assert found is not None
        return found

    def number(self, key: Key) -> tuple[str, str | None]:
        """As of RecordCompiler, for fields of traces."""
        field = self._field(key)
        found = field.number()
        if found is None:
            raise InvalidQuery(
                f"{key} is no number.", position=key.position, expected="trace.duration or trace.span_count"
            )
        return found, field.unit

    def relation(self) -> str:
        """One row per trace that begins in the range: `trace_id`, `trace_time`, and the columns of TRACE_FIELDS."""
        spans = " AND ".join((_WINDOW, *self._pushed))
        columns = [
            "trace_id",
            "min(time) AS trace_time",
            "toInt64(max(ended) - min(started)) AS trace_duration",
            "toInt64(count()) AS span_count",
            "toInt64(countIf(status_code = 2)) AS error_count",
            "toInt64(uniqExact(service)) AS service_count",
        ]
        if self._needs_root:
            # As in trace_summaries.sql: the span whose parent is not in the trace, one without a parent before others.
            columns += [
                "argMin((toString(service), toString(name)), (is_child, parent_span_id != '', started, span_id)) AS root",
                "root.1 AS root_service",
                "root.2 AS root_operation",
            ]
        child = f"(trace_id, parent_span_id) IN (SELECT trace_id, span_id FROM {_TABLE} WHERE {spans})"
        members = (
            "SELECT trace_id, span_id, parent_span_id, time, service, name, status_code, start_time_unix_nano AS started, "
            "reinterpretAsUInt64(toInt64(start_time_unix_nano) + duration_nano) AS ended"
            f"{f', {child} AS is_child' if self._needs_root else ''} FROM {_TABLE} WHERE {spans}"
        )
        return (
            f"(SELECT {', '.join(columns)} FROM ({members}) GROUP BY trace_id "
            "HAVING trace_time >= fromUnixTimestamp64Nano({range_from:Int64}, 'UTC') "
            "AND trace_time < fromUnixTimestamp64Nano({range_to:Int64}, 'UTC'))"
        )

    def _field(self, key: Key) -> Field:
        field = _FIELDS.get(key.path) if key.kind == "name" else None
        if field is None:
            raise InvalidQuery(
                f"A trace has no {key}: it may have many spans with one each.",
                position=key.position,
                expected=f"one of {', '.join(_FIELDS)}; or the signal spans",
            )
        self._needs_root |= key.path in _ROOT_FIELDS
        return field

    def _compile(self, query: Query) -> str:
        match query:
            case And(items):
                return f"({' AND '.join(self._compile(item) for item in items)})"
            case Or(items):
                return f"({' OR '.join(self._compile(item) for item in items)})"
            case Not(item):
                return f"(NOT {self._compile(item)})"
            case SpanSet(condition):
                return f"trace_id IN (SELECT trace_id FROM {_TABLE} WHERE {_WINDOW} AND {self._of_span(condition)})"
            case SpanPath():
                return f"trace_id IN (SELECT trace_id FROM ({self._path(query)}))"
            case Exists(key):
                return self._field(key).exists(self.parameters)
            case Comparison(key):
                return self._field(key).compare(query, self.parameters)
        raise AssertionError(query)  # by_trace has put every other leaf into a set

    def _of_span(self, condition: Query | None) -> str:
        return "true" if condition is None else self._spans.condition(condition)

    def _path(self, path: SpanPath) -> str:
        """Trace and span ids of the spans at the path's end."""
        below = f"SELECT trace_id, span_id FROM {_TABLE} WHERE {_WINDOW} AND {self._of_span(path.sets[0].condition)}"
        for step, item in zip(path.steps, path.sets[1:], strict=True):
            fits = self._of_span(item.condition)
            if step == ">":
                below = (
                    f"SELECT trace_id, span_id FROM {_TABLE} WHERE {_WINDOW} AND {fits} "
                    f"AND (trace_id, parent_span_id) IN ({below})"
                )
                continue
            self._paths += 1
            name = f"below_{self._paths}"
            # Down from the spans that fit, level by level; only in traces that have both ends.
            below = (
                f"WITH RECURSIVE {name} AS (SELECT trace_id, span_id, toUInt8(0) AS depth FROM ({below}) UNION ALL "
                f"SELECT child.trace_id AS trace_id, child.span_id AS span_id, toUInt8({name}.depth + 1) AS depth "
                f"FROM (SELECT trace_id, span_id, parent_span_id FROM {_TABLE} WHERE {_WINDOW} AND parent_span_id != '' "
                f"AND trace_id IN (SELECT trace_id FROM {_TABLE} WHERE {_WINDOW} AND {fits})) AS child "
                f"INNER JOIN {name} ON child.trace_id = {name}.trace_id AND child.parent_span_id = {name}.span_id "
                f"WHERE {name}.depth < {MAX_DEPTH}) "
                f"SELECT trace_id, span_id FROM {_TABLE} WHERE {_WINDOW} AND {fits} "
                f"AND (trace_id, span_id) IN (SELECT trace_id, span_id FROM {name} WHERE depth > 0)"
            )
        return below


def by_trace(query: Query) -> Query:
    """The condition with its terms on spans in sets: terms joined by AND outside braces are about one span.

    `service=a status=error trace.duration>1s` is `{ service=a status=error } trace.duration>1s`, as in a search for traces.
    """
    if _is_of_span(query):
        return SpanSet(query, position=query.position)
    match query:
        case And(items) | Or(items):
            join = conjunction if isinstance(query, And) else disjunction
            of_span = [item for item in items if _is_of_span(item)]
            sets = [SpanSet(join(of_span), position=of_span[0].position)] if of_span else []
            return join([*sets, *(by_trace(item) for item in items if not _is_of_span(item))])
        case Not(item):
            return Not(by_trace(item), position=query.position)
        case _:
            return query


def spans_of_traces(query: Query, resources: ResourceScope) -> Condition:
    """The condition on a span that its trace fits the query; binds what TraceCompiler says. Raises InvalidQuery."""
    compiler = TraceCompiler(resources, Parameters())
    condition = compiler.condition(query)
    sql = f"trace_id IN (SELECT trace_id FROM {compiler.relation()} WHERE {condition})"
    return Condition(sql, compiler.parameters.values)


def named_spans(query: Query) -> Query | None:
    """The condition on a span that one of the query's sets, negated ones left out, names it; None where all are named."""
    found: list[Query] = []
    for item in _sets(by_trace(query)):
        if item.condition is None:
            return None
        found.append(item.condition)
    return disjunction(found) if found else None


def _sets(query: Query) -> Iterator[SpanSet]:
    match query:
        case And(items) | Or(items):
            for item in items:
                yield from _sets(item)
        case SpanSet():
            yield query
        case SpanPath(sets):
            yield from sets


def speaks_of_traces(query: Query | None) -> bool:
    """Whether the condition says something that a search for single spans cannot answer."""
    return query is not None and not _is_of_span(query)


def _is_of_span(query: Query) -> bool:
    match query:
        case And(items) | Or(items):
            return all(_is_of_span(item) for item in items)
        case Not(item):
            return _is_of_span(item)
        case SpanSet() | SpanPath():
            return False
        case Comparison(key) | Exists(key):
            return key.kind != "name" or key.path not in TRACE_FIELDS
        case _:
            return True
