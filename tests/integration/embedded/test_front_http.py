"""The front on the wire."""

from __future__ import annotations

import concurrent.futures
import gzip
import json
import socket
import time
import zlib
from uuid import uuid4

import httpx
import lz4.frame
import pytest
import zstandard

from tests.integration.embedded.conftest import FrontProcess

CODINGS = {
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.fixture
def table(http: httpx.Client) -> str:
    name = f"t_{uuid4().hex}"
    ok(
        http,
        f"CREATE TABLE {name} (a UInt32, b String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100",
    )
    return name


def ok(http: httpx.Client, statement: str | bytes, **params: object) -> str:
    answer = http.post("/", content=statement, params=params)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_probes_and_metrics(http: httpx.Client) -> None:
    for path in ("/ping", "/livez", "/readyz", "/"):
        assert (http.get(path).status_code, http.get(path).text) == (200, "Ok.\n")
    assert http.get("/nowhere").status_code == 404
    ok(http, "SELECT 1")
    text = http.get("/metrics").text
    assert 'airis_clickhouse_front_requests_total{lane="read",status="ok"}' in text
    assert "airis_clickhouse_engine_memory_bytes" in text


def test_headers(http: httpx.Client) -> None:
    answer = http.get("/", params={"query": "SELECT 1 AS x", "default_format": "JSONEachRow", "query_id": "mine-1"})
    assert answer.json() == {"x": 1}
    assert answer.headers["x-clickhouse-query-id"] == "mine-1"
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["content-type"] == "application/x-ndjson; charset=UTF-8"
    assert answer.headers["x-clickhouse-timezone"]
    assert json.loads(answer.headers["x-clickhouse-summary"])["read_rows"] == "1"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", "1\n"),
        ("select 1 as a format JSONCompactEachRow", "[1]\n"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "1\n"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT CSV;", "1\n"),
        ("SELECT 'FORMAT JSON; --' -- FORMAT XML\n", "FORMAT JSON; --\n"),
        ("/* a */ WITH 1 AS x SELECT x; ;", "1\n"),
        ("(SELECT 1) UNION ALL (SELECT 1) SETTINGS max_threads = 1", "1\n1\n"),
        ("SELECT 1 AS format FORMAT TSVWithNames", "format\n1\n"),
        ("FROM numbers(2) SELECT number", "0\n1\n"),
        ("SHOW DATABASES LIKE 'default'", "default\n"),
        ("EXISTS TABLE nowhere", "0\n"),
        (
            "DESCRIBE TABLE (SELECT 1 AS a) FORMAT JSONCompactColumns",
            '[\n\t["a"],\n\t["UInt8"],\n\t[""],\n\t[""],\n\t[""],\n\t[""],\n\t[""]\n]\n',
        ),
        ("EXPLAIN SYNTAX SELECT 1", "SELECT 1\\nFROM system.one\n"),
        ("SELECT $tag$a'b;$tag$, `x;`.1 FROM (SELECT (1, 2) AS `x;`)", "a\\'b;\t1\n"),
        ("SELECT * FROM numbers(0)", ""),
    ],
)
def test_statements(http: httpx.Client, statement: str, expected: str) -> None:
    assert ok(http, statement) == expected
    assert http.get("/", params={"query": statement}).text == expected


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_of_body_and_answer(http: httpx.Client, table: str, coding: str) -> None:
    body = b"".join(b'{"a": %d, "b": "%s"}\n' % (number, b"x" * 50) for number in range(50_000))
    answer = http.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT JSONEachRow"},
        content=CODINGS[coding](body),
        headers={"content-encoding": coding},
    )
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "50000"
    for wait in ("0", "1"):
        params = {"enable_http_compression": "1", "wait_end_of_query": wait}
        query = f"SELECT a, b FROM {table} ORDER BY a FORMAT JSONEachRow".encode()
        request = http.build_request("POST", "/", params=params, content=query, headers={"accept-encoding": coding})
        raw = b"".join(http.send(request, stream=True).iter_raw())
        decoded = {
            "lz4": lz4.frame.decompress,
            "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
            "gzip": gzip.decompress,
            "deflate": zlib.decompress,
            "identity": bytes,
        }[coding](raw)
        assert decoded.replace(b" ", b"") == body.replace(b" ", b"")


def test_damaged_and_unknown_codings(http: httpx.Client, table: str) -> None:
    for coding, body, code in (
        ("gzip", b"no gzip", 271),
        ("lz4", lz4.frame.compress(b"1\n" * 999)[:-20], 271),
        ("br", b"", 89),
    ):
        answer = http.post(
            "/",
            params={"query": f"INSERT INTO {table}(a) FORMAT TSV"},
            content=body,
            headers={"content-encoding": coding},
        )
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (500, str(code)), answer.text
    assert ok(http, f"SELECT count() FROM {table}") == "0\n"


@pytest.mark.parametrize(
    ("statement", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT no_such()", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Nothing", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT toDate('x')", 400, 38, "CANNOT_PARSE_DATE"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("INSERT INTO nowhere FORMAT TSV\n1\n", 404, 60, "UNKNOWN_TABLE"),
        ("INSERT INTO nowhere FROM INFILE '/etc/passwd' FORMAT TSV", 404, 78, "UNKNOWN_TYPE_OF_QUERY"),
        (
            "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 0.2",
            408,
            159,
            "TIMEOUT_EXCEEDED",
        ),
        (
            "SELECT groupArray(number) FROM numbers(100000000) SETTINGS max_memory_usage = 50000000",
            500,
            241,
            "MEMORY_LIMIT_EXCEEDED",
        ),
    ],
)
def test_errors(http: httpx.Client, statement: str, status: int, code: int, name: str) -> None:
    answer = http.post("/", content=statement)
    assert answer.headers["x-clickhouse-exception-code"] == str(code), answer.text
    assert answer.status_code == status
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f" ({name}) (version " in answer.text
    assert "OUTFILE" not in answer.text


def test_bad_requests(http: httpx.Client) -> None:
    for params, status, code in (
        ({"no_such_setting": "1"}, 404, 115),
        ({"a b; DROP": "1"}, 404, 115),
        ({"database": "nowhere"}, 404, 81),
        ({"default_format": "x; y"}, 404, 73),
        ({"session_id": "s", "session_timeout": "x"}, 500, 374),
        ({"session_id": "unknown", "session_check": "1"}, 500, 372),
        ({"compress": "1"}, 501, 48),
    ):
        answer = http.post("/", params=params, content="SELECT 1")
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (status, str(code)), answer.text
    assert http.put("/", content="SELECT 1").status_code == 501


def test_a_get_cannot_change_anything(http: httpx.Client, table: str) -> None:
    answer = http.get("/", params={"query": f"DROP TABLE {table}"})
    assert answer.headers["x-clickhouse-exception-code"] == "164", answer.text
    assert ok(http, f"EXISTS {table}") == "1\n"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("INSERT INTO {t} FORMAT TSV", b"1\tx\n2\ty\n"),
        ("INSERT INTO {t} (a, b) FORMAT TSV", b"1\tx\n2\ty\n"),
        ("INSERT INTO TABLE {t} (b, a) SETTINGS async_insert = 0 FORMAT CSV", b'"x",1\n"y",2\n'),
        ("INSERT INTO default.{t} VALUES", b"(1, 'x'), (2, 'y');"),
        ("", b"INSERT INTO {t} VALUES (1, 'x'), (1 + 1, 'y')"),
        ("", b'INSERT INTO {t} FORMAT JSONEachRow {"a": 1, "b": "x"} {"a": 2, "b": "y"}'),
        ("INSERT INTO {t} FORMAT TSV\n1\tx", b"2\ty\n"),
        ("INSERT INTO {t} (a, b) SELECT a, b FROM input('a UInt32, b String') FORMAT TSV", b"1\tx\n2\ty\n"),
        ("INSERT INTO {t} (a, b) WITH 'input(1) FORMAT' AS q SELECT a, b /* input('') */ FROM input('a UInt32, b String, c Array(Tuple(x UInt8))') WHERE q != '' SETTINGS max_threads = 2 FORMAT JSONEachRow", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'),
        ("INSERT INTO {t} SELECT number + 1, ['x', 'y'][number + 1] FROM numbers(2)", b""),
    ],
)  # fmt: skip
def test_inserts(http: httpx.Client, table: str, query: str, body: bytes) -> None:
    content = body.replace(b"{t}", table.encode())
    answer = http.post("/", params={"query": query.replace("{t}", table)} if query else {}, content=content)
    assert (answer.status_code, answer.text) == (200, ""), answer.text
    assert ok(http, f"SELECT * FROM {table} ORDER BY a") == "1\tx\n2\ty\n"


def test_bad_data_names_the_row(http: httpx.Client, table: str) -> None:
    answer = http.post("/", params={"query": f"INSERT INTO {table} FORMAT TSV"}, content=b"1\tx\nbad\ty\n")
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (400, "27"), answer.text
    assert "row 2" in answer.text


@pytest.mark.parametrize(
    "form",
    [
        "INSERT INTO {t} FORMAT RowBinary",
        "INSERT INTO {t} SELECT a, b FROM input('a UInt32, b String') FORMAT RowBinary",
    ],
)
def test_a_replayed_insert_of_many_blocks_changes_nothing(http: httpx.Client, table: str, form: str) -> None:
    body = b"".join(number.to_bytes(4, "little") + b"\x01x" for number in range(1_500_000))
    params = {
        "query": form.replace("{t}", table), "insert_deduplication_token": "topic-0-0-99", "max_insert_block_size": "200000",
        "min_insert_block_size_rows": "200000", "max_threads": "4",
    }  # fmt: skip
    for _ in range(3):
        assert http.post("/", params=params, content=body).status_code == 200
    assert ok(http, f"SELECT count(), uniqExact(a) FROM {table}") == "1500000\t1500000\n"
    params["insert_deduplication_token"] = "another"
    assert http.post("/", params=params, content=body).status_code == 200
    assert ok(http, f"SELECT count() FROM {table}") == "3000000\n"


def test_materialised_views_fire_once(http: httpx.Client, table: str) -> None:
    ok(
        http,
        f"CREATE TABLE {table}_sum (total UInt64) ENGINE = MergeTree ORDER BY total SETTINGS non_replicated_deduplication_window = 100",
    )
    ok(http, f"CREATE MATERIALIZED VIEW {table}_view TO {table}_sum AS SELECT sum(a) AS total FROM {table}")
    params = {
        "query": f"INSERT INTO {table} (a) FORMAT TSV", "insert_deduplication_token": "x",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
    }  # fmt: skip
    for _ in range(3):
        assert http.post("/", params=params, content=b"1\n2\n3\n").status_code == 200
    assert ok(http, f"SELECT sum(total) FROM {table}_sum") == "6\n"


def test_protobuf_with_its_schema_in_a_setting(http: httpx.Client, table: str) -> None:
    schema = 'syntax = "proto3"; message Rows { repeated Row rows = 1; } message Row { uint32 a = 1; oneof x { string b = 2; int64 c = 3; } }'
    rows = b"".join(b"\x0a" + bytes([len(row)]) + row for row in (b"\x08\x01\x12\x01x", b"\x08\x02\x18\x05"))
    message = bytes([len(rows)]) + rows
    statement = (
        f"INSERT INTO {table} (a, b) SELECT r.1, if(r.4 = 1, r.2, toString(r.3)) FROM (SELECT arrayJoin(rows) AS r "
        "FROM input('rows Array(Tuple(a UInt32, b String, c Int64, x Enum8(\\'none\\' = 0, \\'b\\' = 2, \\'c\\' = 3)))')) "
        "-- what a ' comment\nFORMAT Protobuf"
    ).replace("r.4 = 1", "r.4 = 'b'")
    params = {
        "query": statement, "format_schema_source": "string", "format_schema": schema, "format_schema_message_name": "Rows",
        "input_format_protobuf_oneof_presence": "1", "insert_deduplication_token": "spans-0-0-1",
    }  # fmt: skip
    for _ in range(2):
        answer = http.post("/", params=params, content=message * 3)
        assert answer.status_code == 200, answer.text
    assert ok(http, f"SELECT a, b, count() FROM {table} GROUP BY ALL ORDER BY a") == "1\tx\t3\n2\t5\t3\n"


def test_one_query_id_at_a_time(front: FrontProcess, http: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(
            httpx.post, f"{front.url}/", params={"query_id": "same"}, content="SELECT sleep(1)", timeout=30
        )
        wait_for(http, "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'same'", "1\n")
        assert (
            http.post("/", params={"query_id": "same"}, content="SELECT 1").headers["x-clickhouse-exception-code"]
            == "216"
        )
        assert slow.result().status_code == 200


def test_kill_query_by_the_clients_id(front: FrontProcess, http: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(httpx.post, f"{front.url}/", params={"query_id": "victim"}, content=FOREVER, timeout=60)
        wait_for(http, "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'victim'", "1\n")
        began = time.monotonic()
        assert "victim" not in ok(http, "KILL QUERY WHERE query_id = 'someone else'")
        ok(http, "KILL QUERY WHERE query_id = 'victim' ASYNC")
        answer = slow.result()
        assert time.monotonic() - began < 3
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (500, "394"), answer.text


FOREVER = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"


@pytest.mark.parametrize("statement", [FOREVER, "SELECT number FROM numbers(100000000000)"])
def test_a_client_that_leaves_stops_its_query(http: httpx.Client, front: FrontProcess, statement: str) -> None:
    query_id = uuid4().hex
    with socket.create_connection(("127.0.0.1", front.port)) as connection:
        body = statement.encode()
        connection.sendall(
            f"POST /?query_id={query_id} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        wait_for(http, f"SELECT count() FROM system.processes WHERE Settings['log_comment'] = '{query_id}'", "1\n")
    wait_for(http, f"SELECT count() FROM system.processes WHERE Settings['log_comment'] = '{query_id}'", "0\n")


def test_slow_reads_do_not_block_writes(front: FrontProcess, http: httpx.Client, table: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        slow = [pool.submit(httpx.post, f"{front.url}/", content="SELECT sleep(1)", timeout=60) for _ in range(12)]
        time.sleep(0.5)
        began = time.monotonic()
        for number in range(5):
            ok(http, f"INSERT INTO {table} (a) VALUES ({number})")
        assert time.monotonic() - began < 1
        assert http.get("/readyz").status_code == 200
        assert all(answer.result().status_code == 200 for answer in slow)


def test_large_results_do_not_pile_up_in_memory(front: FrontProcess, http: httpx.Client) -> None:
    import psutil

    assert front.process is not None
    process = psutil.Process(front.process.pid)
    size, most = 0, 0
    with http.stream(
        "POST",
        "/",
        content="SELECT randomString(1000) FROM numbers(600000) FORMAT RowBinary",
        params={"max_block_size": "5000"},
    ) as answer:
        for piece in answer.iter_raw(1 << 20):
            size += len(piece)
            most = max(most, process.memory_info().rss)
    assert size == 600_000 * 1002
    assert most < 700e6


def test_a_slow_reader_holds_the_query_back(http: httpx.Client) -> None:
    query_id = uuid4().hex
    statement = "SELECT randomString(1000) FROM numbers(3000000) FORMAT RowBinary"
    with http.stream(
        "POST", "/", content=statement, params={"query_id": query_id, "max_block_size": "5000", "max_threads": "1"}
    ) as answer:
        time.sleep(1.5)
        with httpx.Client(base_url=str(http.base_url)) as other:
            rows = int(
                ok(other, f"SELECT read_rows FROM system.processes WHERE Settings['log_comment'] = '{query_id}'")
            )
        assert 0 < rows < 100_000
        answer.close()


def test_body_limit(own_front: FrontProcess) -> None:
    own_front.options = ("--max-body", "100000")
    own_front.start()
    bomb = gzip.compress(b"1\n" * 50_000_000)
    answer = httpx.post(
        own_front.url,
        params={"query": "INSERT INTO FUNCTION null('a Int8') FORMAT TSV"},
        content=bomb,
        headers={"content-encoding": "gzip"},
    )
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (413, "229")


def test_password(own_front: FrontProcess) -> None:
    own_front.environment = {"AIRIS_CLICKHOUSE_USER": "airis", "AIRIS_CLICKHOUSE_PASSWORD": "s3cret"}
    own_front.start()
    for headers, params, status in (
        ({}, {}, 403),
        ({"X-ClickHouse-User": "airis", "X-ClickHouse-Key": "s3cret"}, {}, 200),
        ({"X-ClickHouse-User": "airis", "X-ClickHouse-Key": "wrong"}, {}, 403),
        ({}, {"user": "airis", "password": "s3cret"}, 200),
        ({"Authorization": "Basic ???"}, {}, 403),
    ):
        assert httpx.post(own_front.url, headers=headers, params=params, content="SELECT 1").status_code == status
    assert httpx.post(own_front.url, auth=("airis", "s3cret"), content="SELECT 1").text == "1\n"
    assert httpx.get(f"{own_front.url}/ping").status_code == 200


def wait_for(http: httpx.Client, query: str, expected: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while (found := ok(http, query)) != expected:
        assert time.monotonic() < deadline, f"{query} gives {found!r}, not {expected!r}"
        time.sleep(0.05)
