"""Answers to structured queries: a table of groups, their series, and the same of a range to compare with.

The table comes first, because it says which groups there are a series and a comparison of; where nothing is grouped all are
asked at once. Every statement is bound to tenant and range and capped in time, memory and rows; when the caller leaves, all end.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.common.clickhouse import Answer
from libs.common.errors import InvalidQuery, InvalidRequest
from libs.common.json_form import attribute_value, double
from libs.common.query.planning import Planner, group_key, resource_keys
from libs.common.query.structured import DEFAULT_LIMIT, StructuredQuery
from services.analytics.otlp_rows import tagged_value
from services.analytics.repository import TelemetryRepository
from services.analytics.time_range import SECOND, TimeRange, read_range

SERIES_POINTS = 120
MAX_STEPS = 2000
MAX_SERIES_VALUES = 200_000
WEEK = 7 * 86400 * SECOND
# A group is a hash table entry and its aggregates; beyond these a question names too fine a key.
_CAPS = {"max_rows_to_group_by": 2_000_000, "group_by_overflow_mode": "throw"}

Values = list[float | str | None]


@dataclass(slots=True)
class _Read:
    """What all statements of an answer read."""

    rows: int = 0
    bytes: int = 0
    statements: int = 0

    def add(self, answer: Answer) -> Answer:
        self.rows += answer.read_rows
        self.bytes += answer.read_bytes
        self.statements += 1
        return answer


@dataclass(frozen=True, slots=True)
class StructuredQueries:
    """Answers questions from the store."""

    repository: TelemetryRepository

    async def answer(self, tenant: str, query: StructuredQuery, span: TimeRange, now: int) -> dict[str, Any]:
        """The answer in the API's form. Raises InvalidQuery, InvalidTimeRange, and what the repository raises."""
        other = compared_range(query, span, now)
        step = series_step(query, span)
        question = _Question(self.repository, tenant, query, step)
        columns = question.columns()
        planner = await question.planner(span)
        if not query.aggregates:
            return await self._listing(question, planner, columns, span)
        alone = not query.group_by
        if alone:
            table, series, beside = await asyncio.gather(
                question.table(planner, span), question.series(planner, span, None), question.beside(other, None)
            )
            rows, cut = table.rows, False
        else:
            table = await question.table(planner, span)
            limit = query.limit or DEFAULT_LIMIT
            rows, cut = table.rows[:limit], len(table.rows) > limit
            groups = [_group(row, query) for row in rows]
            if len(groups) * (len(span.steps(step)) if step else 0) > MAX_SERIES_VALUES:
                raise InvalidQuery(
                    "That is too many series of too many steps.",
                    position=0,
                    expected=f"groups times steps up to {MAX_SERIES_VALUES}: a longer step or a smaller limit",
                )
            series, beside = await asyncio.gather(
                question.series(planner, span, groups), question.beside(other, groups)
            )
        reasons = [f"There are more groups than the limit of {query.limit or DEFAULT_LIMIT}."] if cut else []
        return {
            "query": str(query),
            **_bounds(span),
            "columns": columns,
            "rows": [_row(row, query) for row in rows],
            "row_count": len(rows),
            "series": _series(rows, series, query, span, step),
            "comparison": _comparison(rows, beside, query, other, step),
            **_cost(question.read, reasons),
        }

    async def _listing(
        self, question: "_Question", planner: Planner, columns: list[dict[str, Any]], span: TimeRange
    ) -> dict[str, Any]:
        query = question.query
        limit = query.limit or DEFAULT_LIMIT
        found = (await question.table(planner, span)).rows
        reasons = [f"There are more {query.signal} than the limit of {limit}; these are the newest."]
        names = [f"field_{index}" for index in range(len(columns) - 1)]
        return {
            "query": str(query),
            **_bounds(span),
            "columns": columns,
            "rows": [[str(row["time_unix_nano"]), *(_value(row[name]) for name in names)] for row in found[:limit]],
            "row_count": min(len(found), limit),
            "series": None,
            "comparison": None,
            **_cost(question.read, reasons if len(found) > limit else []),
        }


class _Question:
    """One query of one tenant, and what it has read so far."""

    def __init__(self, repository: TelemetryRepository, tenant: str, query: StructuredQuery, step: int | None) -> None:
        self._repository = repository
        self._tenant = tenant
        self.query = query
        self._step = step
        self.read = _Read()

    def columns(self) -> list[dict[str, Any]]:
        """Raises InvalidQuery for a query that says nothing, before the store is asked anything."""
        planner = Planner(self.query, self._repository.every_resource)
        planner.table(seconds=1)
        return [{"name": column.name, "kind": column.kind, "unit": column.unit} for column in planner.columns()]

    async def planner(self, span: TimeRange) -> Planner:
        scope = await self._repository.query_scope(self._tenant, resource_keys(self.query), span)
        return Planner(self.query, scope)

    async def table(self, planner: Planner, span: TimeRange, groups: Sequence[str] | None = None) -> Answer:
        plan = planner.table(seconds=span.seconds, chosen=groups is not None and bool(self.query.group_by))
        return self.read.add(await self._repository.run(plan, "structured_table", self._values(span, groups), _CAPS))

    async def series(self, planner: Planner, span: TimeRange, groups: Sequence[str] | None) -> Answer | None:
        if self._step is None or groups == []:
            return None
        plan = planner.series(self._step, chosen=groups is not None)
        return self.read.add(await self._repository.run(plan, "structured_series", self._values(span, groups), _CAPS))

    async def beside(self, span: TimeRange | None, groups: Sequence[str] | None) -> tuple[Answer, Answer | None] | None:
        """Table and series of the range to compare with."""
        if span is None or groups == []:
            return None
        planner = await self.planner(span)
        return await asyncio.gather(self.table(planner, span, groups), self.series(planner, span, groups))

    def _values(self, span: TimeRange, groups: Sequence[str] | None) -> dict[str, Any]:
        return {"tenant": self._tenant, "from": span.start, "to": span.end, "groups": list(groups or ())}


def compared_range(query: StructuredQuery, span: TimeRange, now: int) -> TimeRange | None:
    """The range to compare with. Raises InvalidRequest, InvalidTimeRange."""
    match query.compare:
        case None:
            return None
        case compare if compare.to == "range":
            return read_range(compare.start, compare.end, now)
        case compare:
            back = WEEK if compare.to == "week" else span.end - span.start
            if back > span.start:
                raise InvalidRequest("There is no time before 1970 to compare with.")
            return TimeRange(span.start - back, span.end - back)


def series_step(query: StructuredQuery, span: TimeRange) -> int | None:
    """Seconds of a step, None without a series. Raises InvalidQuery for one that cuts the range too finely."""
    if query.series is None:
        return None
    step = query.series.step_seconds or span.step(SERIES_POINTS)
    if span.seconds / step > MAX_STEPS:
        raise InvalidQuery(
            f"A step of {step} s cuts the range into more than {MAX_STEPS} steps.",
            position=0,
            expected=f"a step of {math.ceil(span.seconds / MAX_STEPS)} s or more",
        )
    return step


def _bounds(span: TimeRange) -> dict[str, str]:
    return {"from_unix_nano": str(span.start), "to_unix_nano": str(span.end)}


def _cost(read: _Read, reasons: list[str]) -> dict[str, Any]:
    return {
        "read": {"rows": read.rows, "bytes": read.bytes, "statements": read.statements},
        "partial": bool(reasons),
        "partial_reasons": reasons,
    }


def _group(row: Mapping[str, Any], query: StructuredQuery) -> str:
    return group_key([row[f"group_{index}"] for index in range(len(query.group_by))])


def _row(row: Mapping[str, Any], query: StructuredQuery) -> list[Any]:
    return [*(_value(row[f"group_{index}"]) for index in range(len(query.group_by))), *_numbers(row, query)]


def _numbers(row: Mapping[str, Any] | None, query: StructuredQuery) -> Values:
    return [None if row is None else _number(row[f"value_{index}"]) for index in range(len(query.aggregates))]


def _number(value: Any) -> float | str | None:
    """An aggregate; null where there was nothing to take it of."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, int) else double(value)


def _value(payload: str) -> Any:
    """A tagged payload in hex in the JSON form; null for an absent value."""
    return attribute_value(tagged_value(bytes.fromhex(payload)))


def _series(
    rows: Sequence[Mapping[str, Any]],
    answer: Answer | None,
    query: StructuredQuery,
    span: TimeRange,
    step: int | None,
) -> dict[str, Any] | None:
    """Per row of the table, and per aggregate, a value for each step; null where a step has no records."""
    if step is None:
        return None
    steps = span.steps(step)
    positions = {_group(row, query): index for index, row in enumerate(rows)}
    values: list[list[Values]] = [[[None] * len(steps) for _ in query.aggregates] for _ in rows]
    for row in answer.rows if answer else ():
        position = positions.get(_group(row, query))
        if position is not None:
            for index, number in enumerate(_numbers(row, query)):
                values[position][index][row["bucket"] - steps[0] // step] = number
    return {"step_seconds": step, "time_unix_nano": [str(start * SECOND) for start in steps], "values": values}


def _comparison(
    rows: Sequence[Mapping[str, Any]],
    beside: tuple[Answer, Answer | None] | None,
    query: StructuredQuery,
    span: TimeRange | None,
    step: int | None,
) -> dict[str, Any] | None:
    """Aggregates of the same groups in the other range, in the order of the table's rows; null where there is no such group."""
    if span is None:
        return None
    table, series = beside if beside is not None else (None, None)
    found = {_group(row, query): row for row in (table.rows if table else ())}
    return {
        **_bounds(span),
        "values": [_numbers(found.get(_group(row, query)), query) for row in rows],
        "series": _series(rows, series, query, span, step),
    }
