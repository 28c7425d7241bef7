"""Migrations: once, whoever runs them when, and never backwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from libs.common.control_store import open_control_store
from libs.common.control_store.migrations import ControlMigrationFailed, control_folders, migrate_control
from libs.common.settings import ControlSettings
from tests.contract.control_store.conftest import METADATA

ROOT = Path(__file__).parents[3]


async def test_they_are_applied_in_order_and_once(control_settings: ControlSettings, library: dict[str, Path]) -> None:
    said: list[str] = []
    assert await migrate_control(control_settings, said.append, library) == 2
    assert said == ["applied library 0001", "applied library 0002"]
    assert await migrate_control(control_settings, said.append, library) == 0
    async with open_control_store(control_settings, "library") as store, store.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), METADATA)
        )
    assert differences == []


async def test_a_dry_run_says_what_is_pending_and_changes_nothing(
    control_settings: ControlSettings, library: dict[str, Path]
) -> None:
    said: list[str] = []
    assert await migrate_control(control_settings, said.append, library, dry_run=True) == 2
    assert said == ["pending library 0001", "pending library 0002"]
    assert await migrate_control(control_settings, said.append, library) == 2


async def test_two_processes_at_once_apply_each_once(
    control_settings: ControlSettings, library: dict[str, Path]
) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from libs.common.control_store.migrations import migrate_control;"
        "from libs.common.settings import ControlSettings;"
        "asyncio.run(migrate_control(ControlSettings(), print, {'library': Path(sys.argv[1])}))"
    )
    environment = {"AIRIS_CONTROL_URL": control_settings.url.get_secret_value(), "PYTHONPATH": str(ROOT)}
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(library["library"]), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [await process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    lines = [line for output, _ in said for line in output.decode().splitlines()]
    assert sorted(lines) == ["applied library 0001", "applied library 0002"]


async def test_one_that_fails_leaves_nothing(control_settings: ControlSettings, library: dict[str, Path]) -> None:
    broken = library["library"] / "versions" / "v0003_broken.py"
    broken.write_text(
        'from alembic import op\n\nrevision, down_revision = "0003", "0002"\n\n\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (id INT)")\n    op.execute("SELECT nonsense")\n'
    )
    with pytest.raises(ControlMigrationFailed, match="nonsense"):
        await migrate_control(control_settings, lambda _: None, library)
    async with open_control_store(control_settings, "library") as store, store.engine.connect() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == []
    broken.unlink()
    assert await migrate_control(control_settings, lambda _: None, library) == 2


async def test_a_store_of_a_newer_release_is_left_alone(
    control_settings: ControlSettings, library: dict[str, Path]
) -> None:
    await migrate_control(control_settings, lambda _: None, library)
    (library["library"] / "versions" / "v0002_versions.py").unlink()
    with pytest.raises(ControlMigrationFailed, match="newer release"):
        await migrate_control(control_settings, lambda _: None, library)


def test_services_with_a_control_store_are_found_by_their_folder(tmp_path: Path, library: dict[str, Path]) -> None:
    assert control_folders(tmp_path / "services") == library
    assert all((folder / "versions").is_dir() for folder in control_folders().values())
