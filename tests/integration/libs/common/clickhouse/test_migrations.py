"""The migration runner on a real engine."""

from pathlib import Path

import pytest

from libs.common.clickhouse import ClickHouse, open_clickhouse
from libs.common.clickhouse.migrations import (
    MigrationFailed,
    MigrationRefused,
    load_migrations,
    migrate,
    pending_migrations,
)
from libs.common.settings import ClickHouseSettings
from libs.common.testing import FakeClock

FIRST = """-- Owner: tests
CREATE TABLE IF NOT EXISTS ${DATABASE}.a ${ON_CLUSTER} (id UInt64) ENGINE = ${REPLICATED}MergeTree ORDER BY id;
"""
SECOND = "ALTER TABLE ${DATABASE}.a ${ON_CLUSTER} ADD COLUMN IF NOT EXISTS name String;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_make_a.sql").write_text(FIRST)
    (tmp_path / "0002_name_of_a.sql").write_text(SECOND)
    return tmp_path


@pytest.fixture
async def admin(clickhouse: ClickHouse, clickhouse_settings: ClickHouseSettings):
    await clickhouse.command(f"DROP DATABASE {clickhouse_settings.database}")  # the runner makes it
    async with open_clickhouse(clickhouse_settings, database="") as client:
        yield client


async def _run(admin: ClickHouse, folder: Path, *, dry_run: bool = False) -> list[str]:
    lines: list[str] = []
    await migrate(admin, folder, report=lines.append, dry_run=dry_run, clock=FakeClock())
    return lines


async def test_an_empty_store_gets_everything_once(admin: ClickHouse, folder: Path) -> None:
    assert await _run(admin, folder) == ["applied 0001_make_a", "applied 0002_name_of_a"]
    assert await _run(admin, folder) == []
    rows = await admin.query(f"SELECT * FROM {admin.settings.database}.schema_migrations ORDER BY version")
    assert [(row["version"], row["name"]) for row in rows] == [(1, "make_a"), (2, "name_of_a")]
    assert rows[0]["checksum"] == load_migrations(folder)[0].checksum
    assert rows[0]["applied_at"].timestamp() == 1_700_000_000


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(admin: ClickHouse, folder: Path) -> None:
    text = "\n".join(await _run(admin, folder, dry_run=True))
    assert (
        f"CREATE TABLE IF NOT EXISTS {admin.settings.database}.a  (id UInt64) ENGINE = MergeTree ORDER BY id;" in text
    )
    databases = await admin.query("SELECT name FROM system.databases")
    assert admin.settings.database not in {row["name"] for row in databases}


async def test_a_migration_cut_off_half_way_is_finished_by_the_next_run(admin: ClickHouse, folder: Path) -> None:
    (folder / "0003_two_steps.sql").write_text(
        "ALTER TABLE ${DATABASE}.a ADD COLUMN IF NOT EXISTS b String;\nALTER TABLE ${DATABASE}.missing ADD COLUMN c String;\n"
    )
    # The second statement's table exists nowhere: the store says no after the first has been done.
    with pytest.raises(Exception, match="schema is not in place"):
        await _run(admin, folder)
    assert [m.version for m in await pending_migrations(admin, load_migrations(folder))] == [3]
    (folder / "0003_two_steps.sql").write_text("ALTER TABLE ${DATABASE}.a ADD COLUMN IF NOT EXISTS b String;\n")
    assert await _run(admin, folder) == ["applied 0003_two_steps"]


async def test_a_failing_statement_names_its_migration_and_the_stores_reason(admin: ClickHouse, folder: Path) -> None:
    (folder / "0003_wrong.sql").write_text("CREATE TABLE ${DATABASE}.x (;\n")
    with pytest.raises(MigrationFailed, match="(?s)0003_wrong: .*SYNTAX_ERROR.*CREATE TABLE"):
        await _run(admin, folder)


async def test_an_edited_migration_is_refused(admin: ClickHouse, folder: Path) -> None:
    await _run(admin, folder)
    (folder / "0001_make_a.sql").write_text(FIRST + "-- edited\n")
    with pytest.raises(MigrationRefused, match="0001_make_a was edited after it was applied here. Restore the file"):
        await _run(admin, folder)


async def test_a_database_ahead_of_the_release_is_refused(admin: ClickHouse, folder: Path) -> None:
    await _run(admin, folder)
    (folder / "0002_name_of_a.sql").unlink()
    with pytest.raises(MigrationRefused, match="0002_name_of_a, which this release does not know"):
        await _run(admin, folder)


async def test_a_number_below_an_applied_one_is_refused(admin: ClickHouse, folder: Path) -> None:
    (folder / "0002_name_of_a.sql").rename(folder / "0004_name_of_a.sql")
    await _run(admin, folder)
    (folder / "0003_late.sql").write_text(SECOND)
    with pytest.raises(MigrationRefused, match="0003_late is older than 0004"):
        await _run(admin, folder)


async def test_two_runners_at_once_end_with_the_same_schema(admin: ClickHouse, folder: Path) -> None:
    import asyncio

    await asyncio.gather(_run(admin, folder), _run(admin, folder))
    assert await _run(admin, folder) == []
    columns = await admin.query(
        "SELECT name FROM system.columns WHERE database = {d:String} AND table = 'a' ORDER BY position",
        {"d": admin.settings.database},
    )
    assert [row["name"] for row in columns] == ["id", "name"]
