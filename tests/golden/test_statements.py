"""Every SQL statement of the product on the real engine: what it promises, as input and expected rows."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from libs.common.clickhouse import ClickHouse, load_statements, open_clickhouse
from libs.common.clickhouse.statements import parse_statement
from libs.common.query import Condition
from libs.common.settings import ClickHouseSettings
from services.analytics.repository import _with
from services.ingestion.otlp import EXPORT_SERVICES
from services.ingestion.receivers.otlp.json_documents import to_protobuf
from tests.fixtures.telemetry import create_schema, store
from tests.golden.cases import AREAS, ROOT, Case, cases, input_rows

CASES = cases()
READS = [case for case in CASES if not case.is_write]
WRITES = [case for case in CASES if case.is_write]
_TENANT = "tenant = {tenant:String}"
# The n-th tenant conditions of a statement of which each alone keeps the rows out.
IN_DEPTH = {
    ("resource_values", 0): "joins resources to counts of the tenant's own",
    ("resource_values", 2): "chooses records to count, which are joined to the tenant's own resources",
}


@pytest.fixture(scope="module")
def read_settings(clickhouse_url: str) -> ClickHouseSettings:
    """One database for all reads, which change nothing."""
    return ClickHouseSettings(url=clickhouse_url, database=f"golden_{uuid.uuid4().hex[:12]}")


_FILLED: set[str] = set()


@pytest.fixture
async def filled(read_settings: ClickHouseSettings) -> AsyncIterator[ClickHouse]:
    """The store with the input of all areas."""
    async with open_clickhouse(read_settings) as clickhouse:
        if read_settings.database not in _FILLED:
            await create_schema(clickhouse)
            for area in AREAS:
                for table, rows in input_rows(area).items():
                    body = "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()
                    await clickhouse.insert_raw(f"INSERT INTO {table}", body, "JSONEachRow")
            _FILLED.add(read_settings.database)
        yield clickhouse


@pytest.mark.parametrize("case", READS, ids=str)
async def test_reads(case: Case, filled: ClickHouse) -> None:
    case.check(await _rows(filled, case))


@pytest.mark.parametrize("case", WRITES, ids=str)
async def test_writes(case: Case, clickhouse: ClickHouse) -> None:
    assert case.then is not None
    await create_schema(clickhouse)
    for run in case.runs:
        if case.area == "ingestion":
            await _ingest(clickhouse, case, run)
        else:
            await clickhouse.command(load_statements(AREAS[case.area])[case.statement], run)
    case.check(await clickhouse.query(case.then))


# Statements that are held elsewhere, and why.
_ELSEWHERE = {
    ROOT / "services/ingestion/queries/stored_rows_on_replicas.sql": "asks a cluster, of which the front knows none: "
    "tests/integration/services/ingestion/test_stored_rows_on_replicas.py",
}


def test_every_statement_has_a_case() -> None:
    files = {path for folder in ("services", "libs") for path in (ROOT / folder).glob("**/queries/*.sql")}
    covered = {AREAS[case.area] / f"{case.statement}.sql" for case in CASES}
    assert files - covered - _ELSEWHERE.keys() == set(), "statements without a case in tests/golden"
    assert covered - files == set(), "cases of statements that are gone"


def _tenant_conditions() -> Iterator[tuple[str, str, int]]:
    for area in ("analytics",):
        for name, statement in load_statements(AREAS[area]).items():
            for index in range(statement.sql.count(_TENANT)):
                if (name, index) not in IN_DEPTH:
                    yield area, name, index


@pytest.mark.parametrize(("area", "name", "index"), list(_tenant_conditions()))
async def test_every_tenant_condition_keeps_another_tenants_rows_out(
    area: str, name: str, index: int, filled: ClickHouse
) -> None:
    """Without it, the answer of some case is another one."""
    parts = load_statements(AREAS[area])[name].sql.split(_TENANT)
    sql = f"{_TENANT.join(parts[: index + 1])}tenant != ''{_TENANT.join(parts[index + 1 :])}"
    unchanged = [
        case.lines(await _rows(filled, case, sql=sql)) == case.expected()
        for case in READS
        if (case.area, case.statement) == (area, name)
    ]
    assert not all(unchanged)


async def _rows(clickhouse: ClickHouse, case: Case, *, sql: str | None = None) -> list[dict[str, Any]]:
    (values,) = case.runs
    path = AREAS[case.area] / f"{case.statement}.sql"
    statement = parse_statement(case.statement, sql or path.read_text(encoding="utf-8"))
    for mark, condition in (("condition", case.condition), ("service", case.service)):
        if condition is not None:
            statement = _with(statement, f"true /* {mark} */", Condition(condition, {}))
    if sql is not None:  # which may bind less
        values = {name: value for name, value in values.items() if name in statement.parameters}
    return await clickhouse.query(statement, values)


async def _ingest(clickhouse: ClickHouse, case: Case, run: dict[str, Any]) -> None:
    service = next(service for service in EXPORT_SERVICES if service.signal.insert == case.statement)
    request = service.request.FromString(to_protobuf(service, case.request.read_bytes()).body)
    await store(clickhouse, [request], received_at=run["received_at"], tenant=run["tenant"], first_offset=run["offset"])
