import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from libs.common.errors import InvalidQuery
from libs.common.query import ResourceScope, Signal, compile_query, fallback_keys, parse
from libs.common.query.ast import OPERATORS, Comparison, Exists, Key, Query, Text, Value
from tests.unit.libs.common.query.strategies import ALMOST_QUERIES, queries

SCOPE = ResourceScope("SELECT resource_fingerprint FROM resources WHERE tenant = {tenant:String}")
NO_RESOURCES = ResourceScope(SCOPE.subquery, frozenset())
_PARAMETER = re.compile(r"\{(q\d+):(String|Int64|Float64)\}")


def sql(text: str, signal: Signal = Signal.TRACES) -> tuple[str, list[object]]:
    condition = compile_query(parse(text), signal, NO_RESOURCES)
    return _PARAMETER.sub("?", condition.sql), list(condition.parameters.values())


@pytest.mark.parametrize(
    ("text", "expected", "values"),
    [
        ("", "true", []),
        ("service=a", "service = ?", ["a"]),
        ("resource.service.name=a", "service = ?", ["a"]),
        ("operation!=a", "(name != '' AND NOT name = ?)", ["a"]),
        ("operation=a*_", "name LIKE ?", ["a%\\_"]),
        ("operation:a", "name = ?", ["a"]),
        ("service:*", "service != ''", []),
        ("duration>0", "duration_nano > ?", [0]),
        ("duration>=1m30s", "duration_nano >= ?", [90 * 10**9]),
        ("duration<1.5us", "duration_nano < ?", [1500]),
        ("status=ERROR kind!=server", "(status_code = ? AND kind != ?)", [2, 2]),
        ("trace_id=" + "AB" * 16, "trace_id = unhex(?)", ["ab" * 16]),
        ("trace_id=0xABC", "trace_id = unhex(?)", ["abc".zfill(32)]),
        ("trace_id=AB-CD", "trace_id IN (unhex(?), unhex(?))", ["abcd", "abcd".zfill(32)]),
        ("event.name=exception", "has(events.name, ?)", ["exception"]),
        ("code>5", "(attributes_int[?] > ? OR attributes_double[?] > ?)", ["code", 5]),
        ('code>"5"', "attributes_string[?] > ?", ["code", "5"]),
        (
            "a=b*",
            "(attributes_string[?] LIKE ? OR (mapContains(attributes_int, ?) AND toString(attributes_int[?]) LIKE ?))",
            ["a", "b%"],
        ),
        (
            'a=""',
            (
                "((mapContains(attributes_string, ?) AND attributes_string[?] = ?) "
                "OR (startsWith(attributes_other[?], 'a') AND position(attributes_other[?], unhex(?)) > 0))"
            ),
            ["a", "", "0a020a00"],
        ),
        (
            "a=true",
            (
                "(attributes_other[?] = 't' OR attributes_string[?] = ? OR (startsWith(attributes_other[?], 'a') "
                "AND (position(attributes_other[?], unhex(?)) > 0 OR position(attributes_other[?], unhex(?)) > 0)))"
            ),
            ["a", "true", "0a060a0474727565", "0a021001"],
        ),
        (
            "event.a>5",
            (
                "arrayExists((s, o) -> ((startsWith(o[?], 'i') AND toInt64OrZero(substring(o[?], 2)) > ?) "
                "OR (startsWith(o[?], 'd') AND toFloat64OrZero(substring(o[?], 2)) > ?)), events.attributes_string, "
                "events.attributes_other)"
            ),
            ["a", 5],
        ),
        ("CheckOut", "positionCaseInsensitive(name, ?) > 0", ["CheckOut"]),
        ("결제", "(position(name, ?) > 0 OR position(name, ?) > 0)", ["결제", "\u1100\u1167\u11af\u110c\u1166"]),
        (
            "é",
            "(positionCaseInsensitiveUTF8(name, ?) > 0 OR positionCaseInsensitiveUTF8(name, ?) > 0)",
            ["é", "e\u0301"],
        ),
        ("time*out", "name ILIKE ?", ["%time%out%"]),
    ],
)
def test_spans(text: str, expected: str, values: list[object]) -> None:
    assert sql(text) == (expected, values)


@pytest.mark.parametrize(
    ("text", "low", "high", "form"),
    [
        ("severity=error", 17, 20, "BETWEEN"),
        ("severity!=warning", 13, 16, "NOT BETWEEN"),
        ("severity>=WARN", 13, 16, ">="),
        ("severity<=info2", 10, 10, "<="),
        ("severity=unset", 0, 0, "BETWEEN"),
        ("severity=18", 18, 18, "BETWEEN"),
    ],
)
def test_severities(text: str, low: int, high: int, form: str) -> None:
    condition, values = sql(text, Signal.LOGS)
    assert values == [low, high]
    assert f" {form} " in condition


def test_a_key_of_the_record_hides_the_resources() -> None:
    condition = compile_query(parse("host.name=a"), Signal.LOGS, SCOPE)
    own, fallback = condition.sql[1:-1].split(" OR (NOT ", 1)
    assert own.startswith("((attributes_string[{q0:String}] = {q1:String} OR ")
    assert "mapContains(attributes_string, {q" in fallback
    assert f"resource_fingerprint IN ({SCOPE.subquery} AND ((resource_string[" in fallback


def test_resources_are_left_out_where_none_has_the_key() -> None:
    assert "resource" not in compile_query(parse("a=b exists c"), Signal.TRACES, NO_RESOURCES).sql
    only_a = ResourceScope(SCOPE.subquery, frozenset({"a"}))
    assert compile_query(parse("a=b exists c"), Signal.TRACES, only_a).sql.count("resource_fingerprint IN") == 1


def test_keys_that_may_be_on_the_resource() -> None:
    query = parse('service=a http.route=b "status"=c exists d NOT resource.e=f word duration>1s')
    assert fallback_keys(query, Signal.TRACES) == {"http.route", "status", "d"}
    assert fallback_keys(query, Signal.LOGS) == {"http.route", "status", "d", "duration"}
    assert fallback_keys(None, Signal.LOGS) == frozenset()


@pytest.mark.parametrize(
    ("text", "signal", "position"),
    [
        ("duration>5", Signal.TRACES, 9),
        ("duration=~5ms", Signal.TRACES, 8),
        ("duration>5000000h", Signal.TRACES, 9),
        ("status=broken", Signal.TRACES, 7),
        ("status>ok", Signal.TRACES, 6),
        ("service > a", Signal.TRACES, 8),
        ("event.name>a", Signal.TRACES, 10),
        ("trace_id=xyz", Signal.LOGS, 9),
        ("trace_id>ab", Signal.LOGS, 8),
        ("severity=loud", Signal.LOGS, 9),
        ("severity=~err", Signal.LOGS, 8),
        ("severity=error5", Signal.LOGS, 9),
        ("body>a", Signal.LOGS, 4),
        ("a>true", Signal.LOGS, 2),
        ('a=b c=~"(?=x)"', Signal.LOGS, 7),
        ("a=b word", Signal.METRICS, 4),
    ],
)
def test_says_where_key_operator_and_value_do_not_fit(text: str, signal: Signal, position: int) -> None:
    with pytest.raises(InvalidQuery) as raised:
        compile_query(parse(text), signal, SCOPE)
    assert raised.value.position == position


@given(queries(), st.sampled_from(Signal))
@settings(max_examples=400)
def test_any_tree_compiles_or_is_refused(query: Query, signal: Signal) -> None:
    try:
        condition = compile_query(query, signal, SCOPE)
    except InvalidQuery:
        return
    used = {name for name, _ in _PARAMETER.findall(condition.sql)}
    assert used == set(condition.parameters)


@given(ALMOST_QUERIES, st.sampled_from(Signal))
@settings(max_examples=400)
def test_any_text_compiles_or_is_refused(text: str, signal: Signal) -> None:
    try:
        compile_query(parse(text), signal, SCOPE)
    except InvalidQuery as error:
        assert 0 <= error.position <= len(text)


_CANARY = "zqcanaryqz"
_CANARIES = st.sampled_from([_CANARY, f"{_CANARY}'; DROP TABLE spans --", f"\\{_CANARY}", f"{{{_CANARY}:String}}"])
_CANARY_KEYS = st.builds(Key, _CANARIES, st.sampled_from(["name", "attribute", "resource"]))


@given(
    queries(
        st.one_of(
            st.builds(Comparison, _CANARY_KEYS, st.sampled_from(OPERATORS), st.builds(Value, _CANARIES, st.booleans())),
            st.builds(Exists, _CANARY_KEYS),
            st.builds(Text, _CANARIES),
        )
    ),
    st.sampled_from(Signal),
)
@settings(max_examples=300)
def test_the_callers_text_never_becomes_sql(query: Query, signal: Signal) -> None:
    try:
        condition = compile_query(query, signal, SCOPE)
    except InvalidQuery:
        assume(False)
    assert _CANARY not in condition.sql
    assert any(_CANARY in str(value) for value in condition.parameters.values())
