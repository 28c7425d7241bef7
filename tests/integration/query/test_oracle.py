"""The compiled condition, run by the real engine, selects exactly the records that the naive reading selects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from libs.common.clickhouse import ClickHouse
from libs.common.errors import InvalidQuery
from libs.common.query import Query, ResourceScope, Signal, compile_query, fallback_keys, to_text
from libs.common.query.ast import OPERATORS, Comparison, Exists, Key, Text, Value, is_bare_value
from tests.fixtures.telemetry import create_schema, store
from tests.integration.query import records
from tests.integration.query.oracle import matches
from tests.unit.libs.common.query.strategies import queries

TIME = 1_700_000_000_000_000_000
RECORDS = records.samples(400)
EXAMPLES = 250
ORDERINGS = tuple(operator for operator in OPERATORS if "~" not in operator)
SCOPE = "SELECT resource_fingerprint FROM resources WHERE tenant = 't1'"
SELECT = {
    Signal.SPANS: "SELECT reinterpretAsUInt64(reverse(span_id)) AS index FROM spans",
    Signal.TRACES: "SELECT reinterpretAsUInt64(reverse(span_id)) AS index FROM spans",
    Signal.LOGS: "SELECT reinterpretAsUInt64(reverse(span_id)) AS index FROM logs",
    Signal.METRICS: "SELECT value_int AS index FROM metric_points WHERE series IN (SELECT series FROM metric_series",
}

_values = st.one_of(
    st.sampled_from([*records.STRINGS, "5.", "1e300", "-1", "+5", "9007199254740993", "false", "NaN"]),
    st.sampled_from(["99999999999999999999", "-9223372036854775808", "9223372036854775807", "0.50", "한"]),
)
_any_value = st.one_of(_values.map(lambda text: Value(text, quoted=True)), _values.filter(is_bare_value).map(Value))
_patterns = st.sampled_from(["", "^a", "^$", "^5", "(?i)^A$", "e.b", "결제|^2", r"\\", "[0-9]{3}"]).map(
    lambda text: Value(text, quoted=True)
)
_keys = st.builds(
    Key,
    st.sampled_from([*records.KEYS, "absent", "m.sub", "m.n"]),
    st.sampled_from(["name", "attribute", "resource", "span", "event"]),
)


def _field(names: list[str], operators: tuple[str, ...], values: list[str]) -> st.SearchStrategy[Query]:
    value = st.sampled_from(values).map(lambda text: Value(text, quoted=not is_bare_value(text)))
    return st.builds(Comparison, st.sampled_from(names).map(Key), st.sampled_from(operators), value)


_TERMS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Comparison, _keys, st.sampled_from(ORDERINGS), _any_value),
    st.builds(Comparison, _keys, st.just("="), _any_value),
    st.builds(Comparison, _keys, st.sampled_from(["=~", "!~"]), _patterns),
    st.builds(Exists, _keys),
    st.builds(Exists, st.sampled_from(["service", "duration", "body", "severity", "parent_span_id"]).map(Key)),
    st.builds(
        Text, st.sampled_from(["get", "GET /c", "결제", "STRASSE", "straße", "ß", "a", "42", "CAFÉ", "503", "true"])
    ),
    st.builds(Text, st.sampled_from(["get*car", "*", "g*d"]), st.just(True)),
    st.builds(
        Comparison,
        st.sampled_from(["body.order.id", "body.guid", "body.n", "body.ok", "body.order.tags", "body.order"]).map(Key),
        st.sampled_from(["=", "!="]),
        st.sampled_from(["7", "503", "x", "true", "a", "1.5", "x*"]).map(Value),
    ),
    st.builds(Comparison, st.just(Key("body.order.id")), st.sampled_from(ORDERINGS), st.just(Value("7"))),
    _field(["service", "scope.name", "scope.version"], ("=", "!="), [*records.SERVICES, "lib.a", "1.0"]),
    _field(["service", "name", "body"], ("=~", "!~"), ["c", "^$", "(?i)GET", "exc|login"]),
    _field(["name", "operation", "body", "severity_text"], ("=", "!="), [*records.NAMES, "true", "GET", "INFO", "c*"]),
    st.builds(
        Comparison, st.just(Key("name", "event")), st.just("="), st.sampled_from(["exception", "user*"]).map(Value)
    ),
    st.builds(Comparison, st.just(Key("name", "event")), st.sampled_from(["=~", "!~"]), st.just(Value("exc|login"))),
    _field(["duration"], ORDERINGS, ["1ns", "1.5us", "1ms", "1s", "1.5m", "0.000000001s"]),
    _field(["status"], ("=", "!="), ["ok", "ERROR", "unset"]),
    _field(["kind"], ("=", "!="), ["server", "CLIENT", "unspecified"]),
    _field(["severity"], ("=", "!=", ">", ">=", "<", "<="), ["info", "WARN", "error2", "18", "unset", "fatal"]),
    _field(["trace_id"], ("=", "!="), ["ab" * 16, "CD" * 16, "0x" + "CD" * 16, "cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd"]),
    _field(["parent_span_id"], ("=", "!="), ["01" * 8, "02" * 8, "1" + "01" * 7]),
    _field(["body"], ORDERINGS, ["42", "1.5", "7"]),
)


@dataclass
class Filled:
    """The engine with every sample in it; counts the queries that selected something."""

    clickhouse: ClickHouse
    selecting: int = 0


@pytest.fixture
async def filled(clickhouse: ClickHouse) -> AsyncIterator[Filled]:
    await create_schema(clickhouse)
    for request in (records.traces(RECORDS, TIME), records.logs(RECORDS, TIME), records.metrics(RECORDS, TIME)):
        await store(clickhouse, [request], received_at=TIME)
    engine = Filled(clickhouse)
    yield engine
    assert engine.selecting > EXAMPLES / 5, "the samples are such that queries select something"


@pytest.mark.timeout(600)
@given(query=queries(_TERMS), signal=st.sampled_from(Signal), keys_are_known=st.booleans())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_the_engine_agrees_with_the_oracle(
    filled: Filled, query: Query, signal: Signal, keys_are_known: bool
) -> None:
    keys = None
    if keys_are_known:
        keys = frozenset(key for record in RECORDS for key in record.resource) & fallback_keys(query, signal)
    try:
        condition = compile_query(query, signal, ResourceScope(SCOPE, keys))
    except InvalidQuery:
        reject()
    found = await filled.clickhouse.query(
        f"{SELECT[signal]} WHERE tenant = 't1' AND {condition.sql}{')' * (signal is Signal.METRICS)}",
        condition.parameters,
    )
    expected = {record.index for record in RECORDS if matches(query, record, signal)}
    assert {row["index"] for row in found} == expected, (signal, to_text(query), condition)
    filled.selecting += bool(expected)
