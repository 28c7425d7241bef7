"""Bring a database to the schema of this release: numbered SQL files, forward only.

Files are `NNNN_<what>.sql`. A statement ends at a line that ends with `;`; lines that start with `--` are comments.
Placeholders: `${DATABASE}`, `${ON_CLUSTER}` (empty, or `ON CLUSTER 'c'`), `${REPLICATED}` (empty or `Replicated`, as in
`ENGINE = ${REPLICATED}MergeTree`) and `${DEDUPLICATION}` (the settings by which a table drops a repeated token).

A migration is recorded after its last statement. Each statement must be idempotent (IF NOT EXISTS), so that one that
was cut off half way, or is run by two runners at once, is simply run again. One that cannot be, such as RENAME, has the line
`-- Only if: SELECT ...` directly above it and is skipped where that query gives no row.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.common.clickhouse.client import ClickHouse
from libs.common.clock import Clock, SystemClock
from libs.common.errors import StoreRejected
from libs.common.settings import ClickHouseSettings

TABLE = "schema_migrations"
# What must be there before the first migration.
BOOKKEEPING = (
    "CREATE DATABASE IF NOT EXISTS ${DATABASE} ${ON_CLUSTER}",
    (
        f"CREATE TABLE IF NOT EXISTS ${{DATABASE}}.{TABLE} ${{ON_CLUSTER}} "
        "(version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')) "
        "ENGINE = ${REPLICATED}MergeTree ORDER BY version"
    ),
)
# Adding a column on every replica waits for the slowest one.
_STATEMENT_SECONDS = 300.0
# Inserts whose tokens a table remembers. Replicated tables have their own default.
DEDUPLICATION_WINDOW = 10_000
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_PLACEHOLDER = re.compile(r"\$\{(\w*)\}?")
_ONLY_IF = "-- Only if: "


class MigrationRefused(Exception):
    """Nothing was changed. The message says what does not fit and what to do."""


class MigrationFailed(Exception):
    """The store refused a statement; the message has the store's reason. Statements before it are done and stay."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its text, before placeholders are filled."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.version:04d}_{self.name}"

    def render(self, settings: ClickHouseSettings) -> list[str]:
        """The statements for this installation. Raises MigrationRefused for an unknown placeholder."""
        return [fill(statement, settings, source=str(self)) for statement in self.statements]


def load_migrations(folder: Path) -> list[Migration]:
    """All migrations of a folder by version. Raises MigrationRefused for a misnamed file or a number used twice."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name}: name it NNNN_<what>.sql, lower case, as in 0003_add_exemplars.sql")
        version, text = int(match[1]), path.read_text(encoding="utf-8")
        migration = Migration(version, match[2], hashlib.sha256(text.encode()).hexdigest(), tuple(split(text)))
        if version in found:
            raise MigrationRefused(f"{migration} and {found[version]} share a number; give the later one the next free")
        if not migration.statements:
            raise MigrationRefused(f"{migration} holds no statement; each ends with ';' at the end of a line")
        found[version] = migration
    return list(found.values())


def split(text: str) -> list[str]:
    """Statements without comment lines and without their `;`. Raises MigrationRefused when the last one is not ended."""
    statements: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("--") and not (line.startswith(_ONLY_IF) and not any(lines)):
            continue
        ended = line.rstrip().endswith(";")
        lines.append(line.rstrip().removesuffix(";") if ended else line)
        if ended:
            statement = "\n".join(lines).strip()
            lines.clear()
            if statement:
                statements.append(statement)
    if rest := "\n".join(lines).strip():
        raise MigrationRefused(f"the last statement does not end with ';' at the end of a line: {rest[:60]!r}")
    return statements


def only_if(statement: str) -> str | None:
    """The query on whose answer the statement depends; it runs where there is a row."""
    first = statement.partition("\n")[0]
    return first.removeprefix(_ONLY_IF) if first.startswith(_ONLY_IF) else None


def fill(statement: str, settings: ClickHouseSettings, *, source: str = "statement") -> str:
    """The statement with its placeholders filled. Raises MigrationRefused for one that is not known."""
    values = {
        "DATABASE": settings.database,
        "ON_CLUSTER": f"ON CLUSTER '{settings.cluster}'" if settings.cluster else "",
        "REPLICATED": "Replicated" if settings.replicated else "",
        "DEDUPLICATION": f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}",
    }

    def value(match: re.Match[str]) -> str:
        if match[1] not in values or not match[0].endswith("}"):
            raise MigrationRefused(f"{source}: {match[0]} is no placeholder; there are {', '.join(values)}")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, statement)


async def pending_migrations(clickhouse: ClickHouse, migrations: Sequence[Migration]) -> list[Migration]:
    """Those not applied yet. Raises MigrationRefused when the database is ahead of us or its past was edited."""
    database = clickhouse.settings.database
    exists = await clickhouse.query(
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String}",
        {"database": database, "name": TABLE},
    )
    # Read from the replica that has it all: a fresh one may lag behind what another runner has just recorded.
    rows = (
        await clickhouse.query(
            f"SELECT version, any(name) AS name, any(checksum) AS checksum "  # noqa: S608 - checked name
            f"FROM {database}.{TABLE} GROUP BY version ORDER BY version",
            settings={"select_sequential_consistency": int(clickhouse.settings.replicated)},
        )
        if exists
        else []
    )
    known = {migration.version: migration for migration in migrations}
    for row in rows:
        migration = known.get(row["version"])
        if migration is None:
            raise MigrationRefused(
                f"the database has migration {row['version']:04d}_{row['name']}, which this release does not know. "
                "Deploy the release that made it, or a newer one; schemas do not go back."
            )
        if migration.checksum != row["checksum"]:
            raise MigrationRefused(
                f"{migration} was edited after it was applied here. Restore the file and put the change in a new one."
            )
    applied = {row["version"] for row in rows}
    pending = [migration for migration in migrations if migration.version not in applied]
    if applied and pending and pending[0].version < max(applied):
        raise MigrationRefused(
            f"{pending[0]} is older than {max(applied):04d}, which is applied already. Give it the next free number."
        )
    return pending


async def migrate(
    clickhouse: ClickHouse,
    folder: Path,
    *,
    report: Callable[[str], None],
    dry_run: bool = False,
    clock: Clock | None = None,
) -> list[Migration]:
    """Apply what is pending and return it; a dry run reports the statements and changes nothing.

    `clickhouse` is opened with database="", since ours may not exist yet. Raises MigrationRefused, MigrationFailed or
    StoreUnavailable; run it again once the cause is gone.
    """
    settings = clickhouse.settings
    pending = await pending_migrations(clickhouse, load_migrations(folder))
    rendered = [(migration, migration.render(settings)) for migration in pending]
    if dry_run:
        for migration, statements in rendered:
            report(f"-- {migration}\n" + "\n".join(f"{statement};" for statement in statements))
        return pending
    if pending:
        await _ensure_table(clickhouse)
    for migration, statements in rendered:
        for statement in statements:
            condition = only_if(statement)
            try:
                if condition is not None and not await clickhouse.query(condition):
                    continue
                await clickhouse.command(statement, timeout=_STATEMENT_SECONDS)
            except StoreRejected as error:
                raise MigrationFailed(f"{migration}: {error.reason}\nin:\n{statement}") from error
        await _record(clickhouse, migration, (clock or SystemClock()).now_ns() // 1_000_000)
        report(f"applied {migration}")
    return pending


async def _ensure_table(clickhouse: ClickHouse) -> None:
    for statement in BOOKKEEPING:
        await clickhouse.command(fill(statement, clickhouse.settings), timeout=_STATEMENT_SECONDS)


async def _record(clickhouse: ClickHouse, migration: Migration, applied_at_ms: int) -> None:
    await clickhouse.command(
        f"INSERT INTO {clickhouse.settings.database}.{TABLE} (version, name, checksum, applied_at) "
        "SELECT {version:UInt32}, {name:String}, {checksum:String}, fromUnixTimestamp64Milli({applied_at:Int64})",
        {
            "version": migration.version,
            "name": migration.name,
            "checksum": migration.checksum,
            "applied_at": applied_at_ms,
        },
    )
