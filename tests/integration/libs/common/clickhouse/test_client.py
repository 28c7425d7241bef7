"""The store client on a real engine."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry

from libs.common.clickhouse import ClickHouse, open_clickhouse, parse_statement
from libs.common.errors import QueryTimeout, QueryTooExpensive, StoreRejected, StoreUnavailable
from libs.common.metrics import sample_value
from libs.common.settings import ClickHouseSettings
from libs.common.testing import free_port, recorded_logs

SLOW = "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))"


async def test_rows_and_columns_come_back_with_their_types(clickhouse: ClickHouse) -> None:
    sql = "SELECT number AS n, toString(number) AS s, [number] AS a, map('k', number) AS m FROM numbers(2)"
    assert await clickhouse.query(sql) == [
        {"n": 0, "s": "0", "a": [0], "m": {"k": 0}},
        {"n": 1, "s": "1", "a": [1], "m": {"k": 1}},
    ]
    assert await clickhouse.query_columns(sql) == {
        "n": [0, 1],
        "s": ["0", "1"],
        "a": [[0], [1]],
        "m": [{"k": 0}, {"k": 1}],
    }


async def test_an_empty_result_has_no_rows_and_empty_columns(clickhouse: ClickHouse) -> None:
    sql = "SELECT number AS n, 'x' AS s FROM numbers(0)"
    assert await clickhouse.query(sql) == []
    assert (await clickhouse.query_columns(sql))["n"] == []


@pytest.mark.parametrize(
    "text", ["", "it's", "a\\b", "tab\tnewline\n", "nul\0", "{x:String}", "日本語 🚀", "%(x)s; DROP"]
)
async def test_bound_text_arrives_as_it_was_given(clickhouse: ClickHouse, text: str) -> None:
    rows = await clickhouse.query("SELECT {x:String} AS x, length({x:String}) AS bytes", {"x": text})
    assert rows == [{"x": text, "bytes": len(text.encode())}]


async def test_bound_lists_numbers_and_maps_arrive_as_they_were_given(clickhouse: ClickHouse) -> None:
    values = {"list": ["a'b", "c\\"], "big": 2**64 - 1, "low": -(2**63), "half": 0.5}
    sql = "SELECT {list:Array(String)} AS list, {big:UInt64} AS big, {low:Int64} AS low, {half:Float64} AS half"
    assert await clickhouse.query(sql, values) == [values]


async def test_a_statement_must_be_bound_exactly(clickhouse: ClickHouse) -> None:
    statement = parse_statement("of_tenant", "SELECT {tenant:String} AS tenant")
    assert await clickhouse.query(statement, {"tenant": "t"}) == [{"tenant": "t"}]
    with pytest.raises(ValueError, match="not bound: tenant"):
        await clickhouse.query(statement)
    with pytest.raises(ValueError, match="no such parameter: limit"):
        await clickhouse.query(statement, {"tenant": "t", "limit": 1})


async def test_a_read_beyond_its_time_cap_is_a_query_timeout(clickhouse: ClickHouse) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimeout):
        await clickhouse.query(SLOW, timeout=0.5)
    assert time.monotonic() - started < 6


async def test_a_read_beyond_its_row_cap_is_too_expensive(clickhouse: ClickHouse) -> None:
    with pytest.raises(QueryTooExpensive, match="Narrow the time range"):
        await clickhouse.query(
            "SELECT number FROM numbers(100000)", settings={"max_result_rows": 10, "max_block_size": 5}
        )


async def test_a_read_beyond_its_memory_cap_is_too_expensive(clickhouse: ClickHouse) -> None:
    with pytest.raises(QueryTooExpensive):
        await clickhouse.query(
            "SELECT count() FROM (SELECT groupArray(number) FROM numbers(50000000))",
            settings={"max_memory_usage": 30_000_000},
        )


async def test_a_cancelled_read_ends_on_the_engine(clickhouse: ClickHouse) -> None:
    reading = asyncio.create_task(clickhouse.query(SLOW, settings={"log_comment": "cancel-me"}, timeout=60))
    while not await _running(clickhouse):
        await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    deadline = time.monotonic() + 10
    while await _running(clickhouse):
        assert time.monotonic() < deadline, "the query still runs 10 s after its reader left"
        await asyncio.sleep(0.1)


async def _running(clickhouse: ClickHouse) -> bool:
    sql = (
        "SELECT 1 FROM system.processes WHERE query LIKE '%sipHash64(number)%' AND query NOT LIKE '%system.processes%'"
    )
    return bool(await clickhouse.query(sql))


async def test_an_unreachable_store_is_unavailable_and_its_client_recovers(clickhouse_url: str) -> None:
    settings = ClickHouseSettings(url=f"http://127.0.0.1:{free_port()}", connect_timeout_seconds=1)
    async with open_clickhouse(settings) as nowhere:
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            await nowhere.query("SELECT 1")
        assert caught.value.retry_after == 1
        with pytest.raises(StoreUnavailable):
            await nowhere.insert("t", ["a"], [[1]])
        nowhere.settings = ClickHouseSettings(url=clickhouse_url, database="default")
        nowhere._database = "default"
        assert await nowhere.query("SELECT 1 AS one") == [{"one": 1}]


async def test_a_missing_table_and_a_missing_database_name_the_remedy(
    clickhouse: ClickHouse, clickhouse_url: str
) -> None:
    with pytest.raises(StoreUnavailable, match="airis migrate"):
        await clickhouse.query("SELECT * FROM nowhere")
    async with open_clickhouse(ClickHouseSettings(url=clickhouse_url, database="never_made")) as other:
        with pytest.raises(StoreUnavailable, match="airis migrate"):
            await other.query("SELECT * FROM nowhere")


async def test_a_wrong_password_is_unavailable_and_never_shown(clickhouse_url: str) -> None:
    settings = ClickHouseSettings(url=clickhouse_url, database="default", password="a-wrong-password")
    with recorded_logs() as logs:
        async with open_clickhouse(settings) as refused:
            with pytest.raises(StoreUnavailable, match="AIRIS_CLICKHOUSE_PASSWORD") as caught:
                await refused.check()
    assert "a-wrong-password" not in f"{caught.value!r}{logs.text}"


async def test_a_wrong_statement_is_rejected_with_the_stores_reason_kept_from_the_caller(
    clickhouse: ClickHouse,
) -> None:
    with recorded_logs() as logs, pytest.raises(StoreRejected) as caught:
        await clickhouse.query("SELECT (nonsense")
    assert "Unmatched parentheses" in logs.events("store error")[0]["reason"]
    assert caught.value.code == 62
    assert caught.value.name == "SYNTAX_ERROR"
    assert "parentheses" not in caught.value.detail


async def _make_tables(clickhouse: ClickHouse) -> None:
    window = "SETTINGS non_replicated_deduplication_window = 100"
    await clickhouse.command(f"CREATE TABLE t (id UInt64, name String) ENGINE = MergeTree ORDER BY id {window}")
    await clickhouse.command(
        f"CREATE TABLE per_name (name String, count UInt64) ENGINE = SummingMergeTree ORDER BY name {window}"
    )
    await clickhouse.command(
        "CREATE MATERIALIZED VIEW v TO per_name AS SELECT name, count() AS count FROM t GROUP BY name"
    )


async def _counts(clickhouse: ClickHouse) -> tuple[int, int]:
    row = (
        await clickhouse.query("SELECT (SELECT count() FROM t) AS rows, (SELECT sum(count) FROM per_name) AS rolled")
    )[0]
    return row["rows"], row["rolled"]


async def test_inserted_rows_are_there_and_a_repeated_token_changes_nothing_in_views_neither(
    clickhouse: ClickHouse,
) -> None:
    await _make_tables(clickhouse)
    rows = [[1, "a"], [2, "b"], [2**64 - 1, "日本"]]
    await clickhouse.insert("t", ["id", "name"], rows, token="topic-0-0-3")
    await clickhouse.insert("t", ["id", "name"], rows, token="topic-0-0-3")
    assert await _counts(clickhouse) == (3, 3)
    await clickhouse.insert("t", ["id", "name"], rows, token="topic-0-3-6")
    assert await _counts(clickhouse) == (6, 6)
    assert (await clickhouse.query("SELECT name FROM t WHERE id = {id:UInt64} LIMIT 1", {"id": 2**64 - 1})) == [
        {"name": "日本"}
    ]


async def test_a_raw_body_is_inserted_once_per_token(clickhouse: ClickHouse) -> None:
    await _make_tables(clickhouse)
    sql = "INSERT INTO t SELECT id, upper(name) FROM input('id UInt64, name String')"
    body = b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n'
    for _ in range(2):
        await clickhouse.insert_raw(sql, body, "JSONEachRow", token="x-0-0-2")
    assert await _counts(clickhouse) == (2, 2)
    assert await clickhouse.query("SELECT name FROM t ORDER BY id") == [{"name": "A"}, {"name": "B"}]


async def test_a_packed_raw_body_is_unpacked_by_the_store(clickhouse: ClickHouse) -> None:
    import gzip

    await _make_tables(clickhouse)
    body = gzip.compress(b'{"id":7,"name":"packed"}')
    await clickhouse.insert_raw("INSERT INTO t", body, "JSONEachRow", content_encoding="gzip")
    assert await clickhouse.query("SELECT id, name FROM t") == [{"id": 7, "name": "packed"}]


async def test_rows_the_table_cannot_hold_are_rejected_for_good(clickhouse: ClickHouse) -> None:
    await _make_tables(clickhouse)
    with pytest.raises(StoreRejected):
        await clickhouse.insert("t", ["id", "name"], [["not a number", "a"]])
    with pytest.raises(StoreRejected):
        await clickhouse.insert_raw("INSERT INTO t", b'{"id":"x"', "JSONEachRow")
    assert await _counts(clickhouse) == (0, 0)


async def test_no_rows_is_no_request(clickhouse: ClickHouse) -> None:
    assert await clickhouse.insert("there_is_no_such_table", ["a"], []) == 0


async def test_a_table_changed_under_remembered_types_is_asked_again(clickhouse: ClickHouse) -> None:
    await clickhouse.command("CREATE TABLE c (a UInt8) ENGINE = MergeTree ORDER BY tuple()")
    await clickhouse.insert("c", ["a"], [[1]])
    await clickhouse.command("DROP TABLE c")
    await clickhouse.command("CREATE TABLE c (a String) ENGINE = MergeTree ORDER BY tuple()")
    with pytest.raises(StoreRejected):
        await clickhouse.insert("c", ["a"], [["text"]])
    await clickhouse.insert("c", ["a"], [["text"]])
    assert await clickhouse.query("SELECT a FROM c") == [{"a": "text"}]


async def test_many_reads_run_side_by_side(clickhouse: ClickHouse) -> None:
    answers = await asyncio.gather(*(clickhouse.query(f"SELECT {n} AS n") for n in range(20)))
    assert [rows[0]["n"] for rows in answers] == list(range(20))


async def test_statements_are_measured_by_name_and_outcome(clickhouse_settings: ClickHouseSettings) -> None:
    registry = CollectorRegistry()
    async with open_clickhouse(clickhouse_settings, database="default", registry=registry) as client:
        await client.query(parse_statement("one", "SELECT 1"))
        with pytest.raises(StoreRejected):
            await client.query("SELECT (1")
    count = "airis_store_duration_seconds_count"
    assert sample_value(registry, count, operation="query", statement="one", outcome="ok") == 1
    assert sample_value(registry, count, operation="query", statement="adhoc", outcome="store-rejected") == 1
