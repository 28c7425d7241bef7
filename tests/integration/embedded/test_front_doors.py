"""Each account of the store tries what is not its own, through the front, as a stolen password would."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from cli.declared_schema import SCHEMA
from embedded.clickhouse_front.accounts import ACCOUNTS, declared
from embedded.layout import STORE_ACCOUNTS, Secrets, store_digests
from libs.common.clickhouse import open_clickhouse
from libs.common.clickhouse.deduplication import insert_memory
from libs.common.clickhouse.migrations import migrate
from libs.common.settings import ClickHouseSettings
from tests.integration.embedded.conftest import FrontProcess

MADE = Secrets.make()
SERVICES = sorted(STORE_ACCOUNTS)
ALL = [*SERVICES, "default"]
OWN_TABLES = {
    "airis_writer": {
        "received_spans", "received_logs", "received_metric_points", "red_1m", "metric_5m",
        "spans", "spans_before", "logs", "logs_before", "metric_points", "metric_points_before",
    }
}  # fmt: skip
SECRET_TABLES = {"users", "api_keys", "api_key_uses", "audit_log", "tenants"}
DENIED = 497


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontProcess]:
    """A front with every account and the product's tables."""
    running = FrontProcess(tmp_path_factory.mktemp("doors"))
    running.environment = {"AIRIS_CLICKHOUSE_PASSWORD": MADE.store_password, **store_digests(MADE)}
    running.start()
    asyncio.run(_migrate(running))
    yield running
    assert running.stop() == 0, running.log()


async def _migrate(doors: FrontProcess) -> None:
    settings = ClickHouseSettings(url=doors.url, user="airis_migrator", password=SecretStr(MADE.store_migrator))
    async with open_clickhouse(settings, database="") as clickhouse:
        await migrate(clickhouse, SCHEMA / "migrations", report=lambda _: None)


async def _as_the_writer(doors: FrontProcess) -> None:
    """What the writer asks before and after it inserts."""
    settings = ClickHouseSettings(url=doors.url, user="airis_writer", password=SecretStr(MADE.store_writer))
    operator = ClickHouseSettings(url=doors.url, password=SecretStr(MADE.store_password))
    async with open_clickhouse(settings) as clickhouse, open_clickhouse(operator) as everything:
        for table in ("received_spans", "received_logs", "received_metric_points"):
            assert await insert_memory(clickhouse, table) == await insert_memory(everything, table)
        await clickhouse.end_query("a-token-nobody-uses")


def ask(doors: FrontProcess, account: str, statement: str | bytes, **parameters: str) -> httpx.Response:
    password = MADE.store_password if account == "default" else getattr(MADE, STORE_ACCOUNTS[account])
    headers = {"X-ClickHouse-User": account, "X-ClickHouse-Key": password}
    return httpx.post(doors.url, content=statement, params=parameters, headers=headers, timeout=60)


def refused(answer: httpx.Response) -> bool:
    return answer.headers.get("X-ClickHouse-Exception-Code") == str(DENIED)


class _Listener(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached\n")

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A server of this machine that nobody may be sent to; its port and who came."""
    asked: list[str] = []
    kind = type("Listener", (_Listener,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret.csv"
    file.write_text("hunter2\n")
    return file


@pytest.mark.parametrize("account", ALL)
def test_no_account_reads_or_writes_files(doors: FrontProcess, account: str, secret_file: Path, tmp_path: Path) -> None:
    statements = [
        f"SELECT * FROM file('{secret_file}', 'LineAsString')",
        f"SELECT * FROM /* */ FiLe ('{secret_file}')",
        f"SELECT file('{secret_file}')",
        f"SELECT `file`('{secret_file}')",
        f"WITH x AS (SELECT file('{secret_file}') AS f) SELECT f FROM x",
        f"SELECT 1 WHERE 'a' IN (SELECT * FROM file('{secret_file}', 'LineAsString'))",
        f"SELECT 'hunter2' IN `{secret_file}`",
        f"SELECT * FROM `{secret_file}`",
        f"SELECT * FROM '{secret_file}'",
        f"SELECT * FROM view(SELECT * FROM file('{secret_file}', 'LineAsString'))",
        f"DESCRIBE TABLE file('{secret_file}')",
        f"SELECT * FROM fileCluster('default', '{secret_file}')",
        f"SELECT * FROM sqlite('{secret_file}', 'x')",
        f"SELECT * FROM executable('{secret_file}', 'TSV', 'a String')",
        f"INSERT INTO FUNCTION file('{tmp_path}/out.csv') SELECT 1",
        f"INSERT INTO `{tmp_path}/out.csv` SELECT 1",
        f"SELECT 1 INTO OUTFILE '{tmp_path}/out.csv'",
        f"INSERT INTO airis.tenants FROM INFILE '{secret_file}' FORMAT CSV",
        f"CREATE TABLE airis.door (a String) ENGINE = File(CSV, '{secret_file}')",
        f"CREATE TEMPORARY TABLE door (a String) ENGINE = File(CSV, '{secret_file}')",
        f"CREATE TABLE airis.door (a String DEFAULT file('{secret_file}')) ENGINE = Memory",
        f"CREATE DICTIONARY airis.door (a Int8) PRIMARY KEY a SOURCE(FILE(path '{secret_file}')) LAYOUT(FLAT())",
        f"BACKUP TABLE airis.users TO File('{tmp_path}/backup')",
        "SELECT * FROM python('MADE')",
        "SELECT * FROM Python(MADE)",
    ]
    for statement in statements:
        answer = ask(doors, account, statement)
        assert answer.status_code >= 400, statement
        assert "hunter2" not in answer.text, statement
    assert [entry.name for entry in tmp_path.iterdir()] == [secret_file.name]


@pytest.mark.parametrize("account", ALL)
def test_no_account_reaches_another_server(doors: FrontProcess, account: str, listener: tuple[int, list[str]]) -> None:
    port, asked = listener
    at = f"127.0.0.1:{port}"
    statements = [
        f"SELECT * FROM url('http://{at}/', 'LineAsString')",
        f"SELECT * FROM urlCluster('default', 'http://{at}/', 'LineAsString')",
        f"SELECT * FROM `http://{at}/a.csv`",
        f"SELECT * FROM remote('{at}', 'airis.users')",
        f"SELECT * FROM remoteSecure('{at}', 'airis.users')",
        "SELECT * FROM cluster('default', 'airis.users')",
        f"SELECT * FROM s3('http://{at}/bucket/key.csv', 'CSV')",
        f"SELECT * FROM gcs('http://{at}/bucket/key.csv', 'CSV')",
        f"SELECT * FROM hdfs('hdfs://{at}/x', 'CSV')",
        f"SELECT * FROM mysql('{at}', 'd', 't', 'u', 'p')",
        f"SELECT * FROM postgresql('{at}', 'd', 't', 'u', 'p')",
        f"SELECT * FROM mongodb('{at}', 'd', 't', 'u', 'p', 'a String')",
        f"SELECT * FROM redis('{at}', 'k', 'k String, v String')",
        f"SELECT * FROM deltaLake('http://{at}/bucket/', 'k', 's')",
        f"SELECT * FROM iceberg('http://{at}/bucket/', 'k', 's')",
        f"SELECT * FROM arrowFlight('{at}', 'x')",
        f"INSERT INTO FUNCTION url('http://{at}/', 'CSV') SELECT * FROM system.one",
        f"CREATE TABLE airis.door (a String) ENGINE = URL('http://{at}/', CSV)",
        f"CREATE TABLE airis.door (a String) ENGINE = MySQL('{at}', 'd', 't', 'u', 'p')",
        f"CREATE DATABASE door ENGINE = PostgreSQL('{at}', 'd', 'u', 'p')",
        f"CREATE MATERIALIZED VIEW airis.door TO airis.tenants AS SELECT * FROM url('http://{at}/', 'CSV')",
    ]
    for statement in statements:
        assert ask(doors, account, statement).status_code >= 400, statement
    assert asked == []
    # That the listener would have been heard.
    assert httpx.get(f"http://{at}/", timeout=5).text == "reached\n"
    assert asked == ["/"]


@pytest.mark.parametrize("account", [*SERVICES])
def test_a_service_sees_its_own_tables_only(doors: FrontProcess, account: str) -> None:
    tables = ask(doors, "default", "SELECT name FROM system.tables WHERE database = 'airis'").text.split()
    assert len(tables) > 10
    readable = {table for table in tables if ask(doors, account, f"SELECT * FROM airis.{table} LIMIT 1").is_success}
    if account == "airis_migrator":
        assert readable == set(tables)
    elif account == "airis_analytics":
        assert {"spans", "logs", "metric_points", "red_1m"} <= readable
        assert not readable & SECRET_TABLES
    else:
        assert readable <= OWN_TABLES[account]
        assert {"spans", "logs", "metric_points"} <= readable
    for table in set(tables) - readable:
        assert refused(ask(doors, account, f"SELECT * FROM airis.{table}")), table
        assert refused(ask(doors, account, "SELECT * FROM {t:Identifier}", database="airis", param_t=table)), table
    if account != "airis_migrator":
        merged = ask(doors, account, "SELECT * FROM merge('airis', '.*')")
        assert refused(merged), merged.text


@pytest.mark.parametrize("account", [account for account in SERVICES if account != "airis_migrator"])
def test_a_service_changes_no_table_and_no_account(doors: FrontProcess, account: str) -> None:
    for statement in (
        "CREATE TABLE airis.door (a Int8) ENGINE = Memory",
        "CREATE DATABASE door",
        "DROP TABLE airis.spans",
        "TRUNCATE TABLE airis.spans",
        "ALTER TABLE airis.spans DELETE WHERE 1",
        "OPTIMIZE TABLE airis.spans FINAL",
        "CREATE VIEW airis.door AS SELECT * FROM airis.users",
        "CREATE USER door",
        "GRANT ALL ON *.* TO default",
        "CREATE FUNCTION door AS x -> x",
        "CREATE NAMED COLLECTION door AS a = 1",
        "SYSTEM SHUTDOWN",
        "SYSTEM STOP MERGES airis.spans",
    ):
        assert refused(ask(doors, account, statement)), statement


@pytest.mark.parametrize("account", ["airis_analytics"])
def test_a_reader_writes_nothing_into_telemetry(doors: FrontProcess, account: str) -> None:
    for table in ("spans", "logs", "metric_points", "red_1m"):
        assert refused(ask(doors, account, f"INSERT INTO airis.{table} FORMAT JSONEachRow\n{{}}")), table
    assert refused(ask(doors, "airis_analytics", "INSERT INTO airis.users FORMAT JSONEachRow\n{}"))


@pytest.mark.parametrize("account", ALL)
def test_nobody_puts_on_another_role(doors: FrontProcess, account: str) -> None:
    for statement in (
        "SET ROLE front_engine",
        "set /* */ role ALL",
        "SET ROLE DEFAULT",
        "SET DEFAULT ROLE ALL TO default",
        "EXECUTE AS default SELECT 1",
    ):
        assert ask(doors, account, statement, session_id=f"roles-{account}").status_code >= 400, statement
    answer = ask(doors, account, "SELECT currentRoles()", session_id=f"roles-{account}", role="front_engine")
    assert "front_engine" not in answer.text
    assert refused(ask(doors, account, "CREATE FUNCTION door AS x -> x", role="front_engine"))


@pytest.mark.parametrize("account", ["airis_analytics"])
def test_a_service_does_not_see_what_others_ask(doors: FrontProcess, account: str) -> None:
    for statement in (
        "SELECT query FROM system.processes",
        "SELECT query FROM `system`.`processes`",
        "SELECT 1 IN system.processes",
        "SELECT * FROM merge('system', 'processes')",
        "SHOW PROCESSLIST",
        "USE system",
        "SELECT * FROM system.server_settings",
        "SELECT * FROM system.errors",
        "SELECT * FROM system.users",
        "SELECT * FROM system.query_log",
    ):
        assert refused(ask(doors, account, statement)), statement
    assert refused(ask(doors, account, "SELECT query FROM processes", database="system"))
    assert refused(ask(doors, account, "SELECT query FROM {t:Identifier}.processes", param_t="system"))
    assert refused(ask(doors, account, "SELECT query FROM {t:Identifier}", param_t="system.processes"))


def test_a_service_ends_its_own_statements_and_nobody_elses(doors: FrontProcess) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = {
            account: pool.submit(
                ask, doors, account, "SELECT count() FROM numbers(40) WHERE sleepEachRow(0.25)",
                query_id=f"slow-{account}", max_block_size="1", function_sleep_max_microseconds_per_block="0",
            )
            for account in ("airis_analytics", "airis_writer")
        }  # fmt: skip
        time.sleep(1.5)
        for attempt in (
            "KILL QUERY WHERE query_id = 'slow-airis_analytics' SYNC",
            "KILL QUERY WHERE 1",
            "KILL QUERY WHERE 0) OR (1",
            "KILL QUERY WHERE 1 -- ",
            "KILL QUERY WHERE 1 /* ",
        ):
            ask(doors, "airis_migrator", attempt)
        assert not any(one.done() for one in slow.values())
        assert ask(doors, "airis_writer", "KILL QUERY WHERE query_id = 'slow-airis_writer' ASYNC").is_success
        assert slow["airis_writer"].result().headers["X-ClickHouse-Exception-Code"] == "394"
        assert not slow["airis_analytics"].done()
        ask(doors, "default", "KILL QUERY WHERE query_id = 'slow-airis_analytics' ASYNC")
        assert slow["airis_analytics"].result().headers["X-ClickHouse-Exception-Code"] == "394"


def test_sessions_are_not_shared_between_accounts(doors: FrontProcess) -> None:
    assert ask(doors, "default", "CREATE TEMPORARY TABLE mine (a Int8)", session_id="s").is_success
    assert ask(doors, "default", "INSERT INTO mine VALUES (7)", session_id="s").is_success
    assert ask(doors, "airis_analytics", "SELECT * FROM mine", session_id="s").status_code >= 400
    assert ask(doors, "default", "SELECT * FROM mine", session_id="s").text == "7\n"


def test_a_writer_inserts_as_the_product_does(doors: FrontProcess) -> None:
    """From input(), whose data the front hands over as a file that only it may name."""
    statement = "INSERT INTO airis.received_spans (tenant, name) SELECT t, n FROM input('t String, n String') FORMAT TSV\nx\ty\n"
    stored = ask(doors, "airis_writer", statement)
    assert stored.is_success, stored.text
    # Its views are fed too; the rows themselves, of 1970, are past their time.
    assert int(json.loads(stored.headers["X-ClickHouse-Summary"])["written_rows"]) > 1
    assert ask(doors, "airis_writer", "SELECT count() FROM system.processes").is_success
    for table in ("received_logs", "received_metric_points"):
        stored = ask(doors, "airis_writer", f"INSERT INTO airis.{table} (tenant) FORMAT TSV\nx\n")
        assert stored.is_success, stored.text
    asyncio.run(_as_the_writer(doors))
    for source in ("file('/proc/self/fd/3', 'TSV', 't String, n String')", "`/etc/passwd`"):
        sneaky = f"INSERT INTO airis.received_spans (tenant, name) SELECT * FROM {source} UNION ALL SELECT t, n FROM input('t String, n String') FORMAT TSV\n"
        assert refused(ask(doors, "airis_writer", sneaky)), source
    sneaky = statement.replace("SELECT t, n", "SELECT t, file('/etc/passwd')")
    assert refused(ask(doors, "airis_writer", sneaky))


def test_passwords_are_asked_for(doors: FrontProcess) -> None:
    for account in [*ALL, "front_engine", "nobody", ""]:
        for password in (
            "",
            "wrong",
            hashlib.sha256(b"").hexdigest(),
            store_digests(MADE)["AIRIS_CLICKHOUSE_WRITER_SHA256"],
        ):
            headers = {"X-ClickHouse-User": account, "X-ClickHouse-Key": password}
            answer = httpx.post(doors.url, content="SELECT 1", headers=headers, timeout=10)
            assert answer.headers["X-ClickHouse-Exception-Code"] == "516"


def test_accounts_without_a_password_do_not_exist() -> None:
    assert declared({}) == []
    (only,) = declared({"AIRIS_CLICKHOUSE_WRITER_SHA256": "00" * 32})
    assert only.name == "airis_writer"
    for wrong in ("00", "secret"):
        with pytest.raises(ValueError, match=r"SHA256|hexadecimal"):
            declared({"AIRIS_CLICKHOUSE_WRITER_SHA256": wrong})
    assert {account.name for account in declared(store_digests(MADE))} == set(STORE_ACCOUNTS)
    assert "front_engine" not in ACCOUNTS.read_text()
