"""The text and JSON forms of structured queries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import InvalidQuery
from libs.common.query import Signal, parse
from libs.common.query.ast import Key, Value
from libs.common.query.forms import QueryForm, from_form, to_form
from libs.common.query.structured import Aggregate, Compare, Order, Series, StructuredQuery, Threshold
from libs.common.query.structured_parser import parse_structured
from tests.unit.libs.common.query.strategies import KEYS, queries, trace_queries

COUNT, P95 = Aggregate("count"), Aggregate("percentile", Key("duration"), percentile="95")
ROUTE = Key("http.route")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", StructuredQuery()),
        ("service=a", StructuredQuery(condition=parse("service=a"))),
        ("from logs", StructuredQuery(Signal.LOGS)),
        (
            "service=checkout status=error | p95(duration), count() by http.route | having count() > 10 | top 10",
            StructuredQuery(
                condition=parse("service=checkout status=error"),
                aggregates=(P95, COUNT),
                group_by=(ROUTE,),
                having=(Threshold(COUNT, ">", Value("10")),),
                order=(Order(P95, descending=True),),
                limit=10,
            ),
        ),
        ("| count()", StructuredQuery(aggregates=(COUNT,))),
        ("| by http.route, resource.host.name", StructuredQuery(
            aggregates=(COUNT,), group_by=(ROUTE, Key("host.name", "resource")))),
        (
            "from logs timeout | rate(), share(severity>=error service=a), p99.9(body.ms) | series 5m | compare week",
            StructuredQuery(
                Signal.LOGS,
                parse("timeout"),
                (
                    Aggregate("rate"),
                    Aggregate("share", condition=parse("severity>=error service=a")),
                    Aggregate("percentile", Key("body.ms"), percentile="99.9"),
                ),
                series=Series(300),
                compare=Compare("week"),
            ),
        ),
        (
            "from traces {service=a} >> {status=error} | count() by root.service | order root.service, count() asc | series",
            StructuredQuery(
                Signal.TRACES,
                parse("{service=a} >> {status=error}", traces=True),
                (COUNT,),
                (Key("root.service"),),
                order=(Order(Key("root.service"), descending=False), Order(COUNT, descending=False)),
                series=Series(),
            ),
        ),
        (
            ("| count() by service | having p95(duration) >= 1.5s and count() > 1, error_rate() > 5% "
            "| compare 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z | bottom 3"),
            StructuredQuery(
                aggregates=(COUNT,),
                group_by=(Key("service"),),
                having=(
                    Threshold(P95, ">=", Value("1.5s")),
                    Threshold(COUNT, ">", Value("1")),
                    Threshold(Aggregate("error_rate"), ">", Value("5%")),
                ),
                order=(Order(COUNT, descending=False),),
                limit=3,
                compare=Compare("range", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ),
        ),
    ],
)  # fmt: skip
def test_reads(text: str, query: StructuredQuery) -> None:
    assert parse_structured(text) == query


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("service= | count()", 9, "a value"),
        ("a=b | nonsense", 6, "aggregates"),
        ("a=b | p95()", 10, "a key"),
        ("a=b | p101(duration)", 6, "p95"),
        ("a=b | median(duration)", 6, "p95"),
        ("a=b | count(", 12, "closing parenthesis"),
        ("a=b | share()", 12, "a condition"),
        ("a=b | count() by", 16, "a key"),
        ("a=b | count() | having count()", 30, "one of >"),
        ("a=b | count() | limit 0", 22, "1 to"),
        ("a=b | count() | top many", 20, "1 to"),
        ("a=b | top 5", 6, "count()"),
        ("a=b | series 10ms", 13, "whole number of seconds"),
        ("a=b | count() | count()", 16, "once"),
        ("a=b | count() | top 5 | limit 6", 24, "once"),
        ("a=b | count() | compare", 23, "previous"),
        ("a=b | count() by service | order name", 33, "key of 'by'"),
        ("a=b | having count() > 1", 0, "count()"),
        ("a=b )", 4, "a term"),
    ],
)
def test_points_at_what_is_wrong(text: str, position: int, expected: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        parse_structured(text)
    assert (raised.value.position, expected in raised.value.expected) == (position, True), raised.value.extra


_LIST_KEYS = KEYS.filter(lambda key: key.kind != "name" or "," not in key.name).filter(
    lambda key: key.kind in {"name", "attribute"} or "," not in key.name
)


def _aggregates(conditions: st.SearchStrategy) -> st.SearchStrategy[Aggregate]:
    return st.one_of(
        st.builds(Aggregate, st.sampled_from(["count", "rate", "error_rate"])),
        st.builds(Aggregate, st.sampled_from(["sum", "avg", "min", "max", "count_distinct"]), _LIST_KEYS),
        st.builds(
            Aggregate, st.just("percentile"), _LIST_KEYS, percentile=st.sampled_from(["0", "50", "95", "99.9", "100"])
        ),
        st.builds(Aggregate, st.just("share"), condition=conditions),
    )


@st.composite
def structured_queries(draw: st.DrawFn) -> StructuredQuery:
    signal = draw(st.sampled_from(Signal))
    conditions = trace_queries() if signal is Signal.TRACES else queries()
    aggregates = draw(st.lists(_aggregates(conditions), max_size=3))
    condition = draw(st.one_of(st.none(), conditions))
    limit = draw(st.one_of(st.none(), st.integers(1, 1000)))
    if not aggregates:
        return StructuredQuery(signal, condition, limit=limit)
    groups = draw(st.lists(_LIST_KEYS, max_size=2))
    by = st.one_of(st.sampled_from(aggregates), *([st.sampled_from(groups)] if groups else []))
    values = st.sampled_from(["10", "200ms", "5%", "0.5"]).map(Value)
    return StructuredQuery(
        signal,
        condition,
        tuple(aggregates),
        tuple(groups),
        tuple(draw(st.lists(st.builds(Threshold, _aggregates(conditions), st.sampled_from([">", "<=", "!="]), values), max_size=2))),
        tuple(draw(st.lists(st.builds(Order, by, st.booleans()), max_size=2))),
        limit,
        draw(st.one_of(st.none(), st.builds(Series, st.one_of(st.none(), st.integers(1, 86400))))),
        draw(st.one_of(st.none(), st.sampled_from([Compare("previous"), Compare("week"), Compare("range", "1", "2")]))),
    )  # fmt: skip


@given(structured_queries())
@settings(max_examples=200)
def test_text_and_json_turn_into_each_other_without_loss(query: StructuredQuery) -> None:
    assert parse_structured(str(query)) == query
    form = to_form(query)
    assert from_form(QueryForm.model_validate_json(form.model_dump_json(by_alias=True))) == query


_PIECES = st.sampled_from(
    ["|", "from", "logs", "traces", "a=b", "{", "}", ">>", "count()", "p95(duration)", "share(", ")", "by", "service", ",",
     "having", ">", "10", "top", "5", "series", "5m", "compare", "previous", "week", "order", "desc", "limit", '"x"']
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map(" ".join))
@settings(max_examples=500)
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    try:
        query = parse_structured(text)
    except InvalidQuery as error:
        assert 0 <= error.position <= len(text)
        assert error.expected
    else:
        assert parse_structured(str(query)) == query


@pytest.mark.parametrize(
    ("form", "member"),
    [
        ({"where": "a="}, "where"),
        ({"aggregates": [{"function": "p95"}]}, "aggregates[0]"),
        ({"aggregates": [{"function": "count", "field": "a) > 1"}]}, "aggregates[0]"),
        ({"aggregates": [{"function": "count"}], "group_by": ["a", "b c"]}, "group_by[1]"),
        ({"aggregates": [{"function": "count"}], "group_by": ["a,b"]}, "group_by[0]"),
        ({"aggregates": [{"function": "count"}], "compare": {"to": "range"}}, "compare"),
    ],
)
def test_says_which_member_of_the_json_form_is_wrong(form: dict, member: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        from_form(QueryForm.model_validate(form))
    assert raised.value.detail.startswith(f"{member}: ")
