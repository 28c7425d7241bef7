"""The JSON form of a structured query: for programs that build one. Conditions and keys are texts of the query language."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import InvalidQuery
from libs.common.query.ast import Key, Operator, Value, is_bare_value, to_text
from libs.common.query.parser import parse
from libs.common.query.signals import Signal
from libs.common.query.structured import (
    MAX_AGGREGATES,
    MAX_GROUP_KEYS,
    MAX_LIMIT,
    Aggregate,
    Compare,
    Order,
    Series,
    StructuredQuery,
    Threshold,
)
from libs.common.query.structured_parser import (
    MAX_STEP_SECONDS,
    check_structured,
    parse_aggregate,
    parse_group_key,
)

T = TypeVar("T")
Text = Annotated[str, Field(max_length=4096)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class AggregateForm(_Form):
    function: str = Field(
        pattern=r"^(count|rate|error_rate|share|sum|avg|min|max|count_distinct|p(100|[0-9]{1,2}(\.[0-9]{1,3})?))$",
        examples=["count", "p95"],
    )
    field: Text | None = Field(
        default=None, description="Key of the value; for all but count, rate, error_rate, share."
    )
    where: Text | None = Field(default=None, description="The condition of `share`.")


class ThresholdForm(_Form):
    aggregate: AggregateForm
    operator: Literal[">", ">=", "<", "<=", "=", "!="]
    value: Text = Field(description="A number, of durations with a unit; `5%` of shares.", examples=["10", "200ms"])


class OrderForm(_Form):
    """By an aggregate, or by a key of `group_by`."""

    aggregate: AggregateForm | None = None
    field: Text | None = None
    descending: bool


class SeriesForm(_Form):
    step_seconds: int | None = Field(
        default=None, ge=1, le=MAX_STEP_SECONDS, description="Chosen where it is left out."
    )


class CompareForm(_Form):
    to: Literal["previous", "week", "range"]
    start: str = Field(default="", alias="from", max_length=64, description="With `range`, as in the parameter `from`.")
    end: str = Field(default="", alias="until", max_length=64, description="With `range`, as in the parameter `to`.")


class QueryForm(_Form):
    """A structured query. Without aggregates it lists the newest records that fit."""

    signal: Signal = Signal.SPANS
    where: Text = Field(default="", description="The condition; empty: everything.")
    aggregates: list[AggregateForm] = Field(default_factory=list, max_length=MAX_AGGREGATES)
    group_by: list[Text] = Field(default_factory=list, max_length=MAX_GROUP_KEYS, examples=[["http.route"]])
    having: list[ThresholdForm] = Field(
        default_factory=list, max_length=MAX_AGGREGATES, description="All have to hold."
    )
    order: list[OrderForm] = Field(default_factory=list, max_length=MAX_AGGREGATES)
    limit: int | None = Field(default=None, ge=1, le=MAX_LIMIT)
    series: SeriesForm | None = None
    compare: CompareForm | None = None


def to_form(query: StructuredQuery) -> QueryForm:
    """The query's JSON form."""
    return QueryForm(
        signal=query.signal,
        where="" if query.condition is None else to_text(query.condition),
        aggregates=[_aggregate_form(aggregate) for aggregate in query.aggregates],
        group_by=[str(key) for key in query.group_by],
        having=[
            ThresholdForm(
                aggregate=_aggregate_form(threshold.aggregate),
                operator=threshold.operator,  # type: ignore[arg-type]  # the parser takes no other
                value=str(threshold.value),
            )
            for threshold in query.having
        ],
        order=[
            OrderForm(aggregate=_aggregate_form(order.by), descending=order.descending)
            if isinstance(order.by, Aggregate)
            else OrderForm(field=str(order.by), descending=order.descending)
            for order in query.order
        ],
        limit=query.limit,
        series=None if query.series is None else SeriesForm(step_seconds=query.series.step_seconds),
        compare=None
        if query.compare is None
        else CompareForm.model_validate(
            {"to": query.compare.to, "from": query.compare.start, "until": query.compare.end}
        ),
    )


def from_form(form: QueryForm) -> StructuredQuery:
    """The query that the form says. Raises InvalidQuery; its position is that in the text of the member it names."""
    signal = form.signal
    return check_structured(
        StructuredQuery(
            signal,
            _in("where", lambda: parse(form.where, traces=signal is Signal.TRACES)),
            tuple(
                _in(f"aggregates[{index}]", lambda item=item: _aggregate(item, signal))  # type: ignore[misc]
                for index, item in enumerate(form.aggregates)
            ),
            tuple(
                _in(f"group_by[{index}]", lambda item=item: parse_group_key(item))  # type: ignore[misc]
                for index, item in enumerate(form.group_by)
            ),
            tuple(
                _in(f"having[{index}]", lambda item=item: _threshold(item, signal))  # type: ignore[misc]
                for index, item in enumerate(form.having)
            ),
            tuple(
                _in(f"order[{index}]", lambda item=item: _order(item, signal))  # type: ignore[misc]
                for index, item in enumerate(form.order)
            ),
            form.limit,
            None if form.series is None else Series(form.series.step_seconds),
            None if form.compare is None else _in("compare", lambda: _compare(form.compare)),
        )
    )


def _in(member: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidQuery as error:
        raise InvalidQuery(f"{member}: {error.detail}", position=error.position, expected=error.expected) from None


def _aggregate_form(aggregate: Aggregate) -> AggregateForm:
    return AggregateForm(
        function=f"p{aggregate.percentile}" if aggregate.function == "percentile" else aggregate.function,
        field=None if aggregate.key is None else str(aggregate.key),
        where=None if aggregate.condition is None else to_text(aggregate.condition),
    )


def _aggregate(form: AggregateForm, signal: Signal) -> Aggregate:
    if form.field is not None and form.where is not None:
        raise InvalidQuery("An aggregate takes a field or a condition.", position=0, expected="field or where")
    return parse_aggregate(f"{form.function}({form.field or form.where or ''})", signal)


def _threshold(form: ThresholdForm, signal: Signal) -> Threshold:
    text = form.value
    if text.startswith('"') or not is_bare_value(text) or "," in text:
        raise InvalidQuery(f"{text!r} is no number.", position=0, expected="a number, as in 10, 200ms or 5%")
    return Threshold(_aggregate(form.aggregate, signal), _operator(form.operator), Value(text))


def _operator(text: str) -> Operator:
    found: Operator = text  # type: ignore[assignment]  # the form takes no other
    return found


def _order(form: OrderForm, signal: Signal) -> Order:
    if (form.aggregate is None) == (form.field is None):
        raise InvalidQuery("An order is by an aggregate or a field.", position=0, expected="aggregate or field")
    if form.aggregate is not None:
        return Order(_aggregate(form.aggregate, signal), form.descending)
    key: Key = parse_group_key(form.field or "")
    return Order(key, form.descending)


def _compare(form: CompareForm | None) -> Compare:
    assert form is not None
    if (form.to == "range") != bool(form.start and form.end) or any(
        " " in time or "|" in time for time in (form.start, form.end)
    ):
        raise InvalidQuery(
            "A range to compare with has two times.", position=0, expected='"from" and "until" with "to": "range"'
        )
    return Compare(form.to, form.start, form.end)
