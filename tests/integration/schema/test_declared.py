"""Declared schema against migrations, on a real engine. In a process of its own, since an engine has a process to itself."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree

from cli.declared_schema import SCHEMA

ROOT = Path(__file__).parents[3]


def check(schema: Path) -> tuple[int, str]:
    command = [sys.executable, "-W", "error", "-m", "cli.declared_schema", "--schema", str(schema)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_the_migrations_make_what_is_declared() -> None:
    assert check(SCHEMA) == (0, "")


def test_drift_and_migrations_that_break_the_rules_are_named(tmp_path: Path) -> None:
    copytree(SCHEMA, tmp_path, dirs_exist_ok=True)
    (tmp_path / "migrations" / "9000_mistakes.sql").write_text(
        "ALTER TABLE ${DATABASE}.tenants ${ON_CLUSTER} ADD COLUMN IF NOT EXISTS plan String;\n"
        "CREATE TABLE IF NOT EXISTS ${DATABASE}.local (id UInt8) ENGINE = MergeTree ORDER BY id;\n"
        "ALTER TABLE ${DATABASE}.users ${ON_CLUSTER} MODIFY SETTING merge_with_ttl_timeout = 1;\n"
    )
    code, problems = check(tmp_path)
    assert code == 1
    assert "declared/tenants.sql: says '`version` UInt64', the migrations make '`version` UInt64,'" in problems
    assert "declared/local.sql: missing" in problems
    assert "declared/users.sql: says 'SETTINGS index_granularity = 8192', the migrations make" in problems
    assert (
        "runs on one server of a cluster only; add ${ON_CLUSTER}: 'CREATE TABLE IF NOT EXISTS airis.local" in problems
    )
    assert "local is not replicated" in problems
    assert problems.count("declared/") == 3


def test_a_migration_that_cannot_run_twice_is_named(tmp_path: Path) -> None:
    copytree(SCHEMA, tmp_path, dirs_exist_ok=True)
    (tmp_path / "migrations" / "9000_once.sql").write_text(
        "ALTER TABLE ${DATABASE}.tenants ${ON_CLUSTER} ADD COLUMN plan String;\n"
    )
    code, problems = check(tmp_path)
    assert code == 1
    assert "column with this name already exists" in problems
