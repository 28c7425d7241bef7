"""Rows of the schema before 0006 carried into the tables of today, and what readers see meanwhile."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from libs.common.clickhouse import ClickHouse, open_clickhouse
from libs.common.clickhouse.carrying import CHANGE, Carrier, reading, views
from libs.common.clickhouse.migrations import migrate
from tests.fixtures.telemetry import MIGRATIONS, remove_expiry
from tests.golden.cases import input_rows

CARRYING = MIGRATIONS.parent / "carrying"
# What does not depend on how often parts were merged, of every table; as a reader asks it.
SEEN = {
    "spans": "SELECT count() AS n, uniqExact(span_id) AS ids, sum(duration_nano) AS ns, groupUniqArray(end_time_unix_nano) != [] AS ends FROM spans",
    "logs": "SELECT count() AS n, sum(severity) AS severities, sum(cityHash64(body)) AS bodies FROM logs",
    "metric_points": "SELECT count() AS n, uniqExact(series) AS series, sum(value_int) AS ints, sum(count) AS counts FROM metric_points",
    "series of points": "SELECT count() AS n FROM metric_points WHERE series IN (SELECT series FROM metric_series)",
    "resources": "SELECT uniqExact(tenant, day, resource_fingerprint) AS n FROM resources",
    "trace_index": "SELECT uniqExact(tenant, day, trace_id) AS n, min(trace_index.first_time)::String AS first FROM trace_index",
    "red_1m": "SELECT sum(request_count) AS n, sum(error_count) AS errors, arraySum(mapValues(sumMap(duration_buckets))) AS measured FROM red_1m",
    "red_1h": "SELECT sum(request_count) AS n, sum(error_count) AS errors, arraySum(mapValues(sumMap(duration_buckets))) AS measured FROM red_1h",
    "metric_5m": "SELECT sum(point_count) AS n FROM metric_5m",
    "span_attribute_values": "SELECT sum(record_count) AS n, uniqExact(key, type, value) AS values FROM span_attribute_values",
    "log_attribute_values": "SELECT sum(record_count) AS n, uniqExact(key, type, value) AS values FROM log_attribute_values",
    "metric_1h": "SELECT sum(point_count) AS n FROM metric_1h",
}


class Killed(Exception):
    """The process ended here."""


class Mortal:
    """A store whose caller is killed after so many commands; the last one is done."""

    def __init__(self, clickhouse: ClickHouse, commands: int) -> None:
        self._clickhouse, self._left = clickhouse, commands
        self.settings = clickhouse.settings

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self._clickhouse.query(sql, parameters)

    async def command(self, sql: str, **options: Any) -> None:
        if self._left == 0 and sql.startswith("DROP TABLE") and "_carried_" in sql:
            raise Killed  # what `finally` would do, a killed process does not
        await self._clickhouse.command(sql, **options)
        self._left -= 1
        if self._left <= 0:
            self._left = 0
            raise Killed


async def _before(clickhouse: ClickHouse, folder: Path) -> None:
    """The schema of before with the rows of the golden cases, each inserted where they were then."""
    for file in sorted(MIGRATIONS.glob("*.sql")):
        if int(file.name[:4]) < CHANGE:
            copy(file, folder)
    async with open_clickhouse(clickhouse.settings, database="") as admin:
        await migrate(admin, folder, report=lambda _: None)
    await remove_expiry(clickhouse)
    for table, rows in _rows().items():
        await clickhouse.insert_raw(f"INSERT INTO {table.removeprefix('received_')}", _lines(rows), "JSONEachRow")


def _rows() -> dict[str, list[dict[str, Any]]]:
    """Each row of an offset of its own."""
    return {
        table: [row | {"bus_offset": n} for n, row in enumerate(rows)]
        for table, rows in input_rows("analytics").items()
    }


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()


async def _change(clickhouse: ClickHouse) -> None:
    async with open_clickhouse(clickhouse.settings, database="") as admin:
        await migrate(admin, MIGRATIONS, report=lambda _: None)
    await remove_expiry(clickhouse)


async def _seen(clickhouse: ClickHouse) -> dict[str, Any]:
    names = await views(clickhouse)
    return {what: await clickhouse.query(reading(sql, names)) for what, sql in SEEN.items()}


@pytest.mark.timeout(600)
async def test_all_is_there_before_during_and_after_however_often_it_is_killed(
    clickhouse: ClickHouse, tmp_path: Path
) -> None:
    await _before(clickhouse, tmp_path)
    counted = {
        table: (await clickhouse.query(f"SELECT count() AS n FROM {table}"))[0]["n"]
        for table in ("spans", "logs", "metric_points")
    }
    await _change(clickhouse)
    waiting = await Carrier(clickhouse, CARRYING, lambda _: None).prepare()
    assert waiting > 0
    seen = await _seen(clickhouse)
    assert {table: seen[table][0]["n"] for table in counted} == counted
    assert seen["series of points"] == [{"n": counted["metric_points"]}]
    assert seen["red_1m"][0]["n"] == seen["red_1h"][0]["n"] == seen["red_1m"][0]["measured"] == counted["spans"]
    dice, kills = random.Random(7), 0
    while True:
        try:
            await Carrier(Mortal(clickhouse, dice.randint(20, 40)), CARRYING, lambda _: None).carry()  # type: ignore[arg-type]
        except Killed:
            kills += 1
            assert await _seen(clickhouse) == seen, f"after kill {kills}"
        else:
            break
    assert kills > 3
    assert await views(clickhouse) == {}
    assert await _seen(clickhouse) == seen
    left = await clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND (name LIKE '%before' OR name LIKE '%carried%')"
    )
    assert left == []


async def test_a_batch_stored_before_and_again_after_is_there_once(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """The writer was killed between its insert and its commit, and the release after it does not know the old tables' tokens."""
    await _before(clickhouse, tmp_path)
    await _change(clickhouse)
    for table, rows in _rows().items():
        again = [row for row in rows if row["tenant"] == "shop"]
        await clickhouse.insert_raw(f"INSERT INTO {table}", _lines(again), "JSONEachRow")
    carrier = Carrier(clickhouse, CARRYING, lambda _: None)
    await carrier.prepare()
    expected = {table.removeprefix("received_"): len(rows) for table, rows in _rows().items()}
    for _ in range(2):
        seen = await _seen(clickhouse)
        assert {table: seen[table][0]["n"] for table in expected} == expected
        await carrier.carry()


async def test_a_fresh_installation_has_nothing_to_carry_and_keeps_no_trace(clickhouse: ClickHouse) -> None:
    await _change(clickhouse)
    assert await Carrier(clickhouse, CARRYING, lambda _: None).prepare() == 0
    assert (
        await clickhouse.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%before'"
        )
        == []
    )


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1 FROM spans WHERE x", "SELECT 1 FROM spans_and_before AS spans WHERE x"),
        (
            "FROM spans_before, FROM spans.events JOIN spans USING (x)",
            "FROM spans_before, FROM spans.events JOIN spans_and_before AS spans USING (x)",
        ),
    ],
)
def test_statements_read_by_other_names(sql: str, expected: str) -> None:
    assert reading(sql, {"spans": "spans_and_before"}) == expected
    assert reading(sql, {}) == sql
