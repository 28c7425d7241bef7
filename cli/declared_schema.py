"""What the migrations make, kept to read: schema/clickhouse/declared/<table>.sql. `python -m cli.declared_schema`.

Runs every migration on an engine of its own and compares what is there with the declared files; `--write` brings the
files up to date. The same run finds migrations that cannot be run twice and ones that do not make a replicated table
of every table on a cluster. The engine keeps its ZooKeeper in memory for that (`testkeeper`), where replicated tables can
be made and not written.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.clickhouse_front.engine import Engine, EngineError, Job
from embedded.clickhouse_front.sql import quote
from embedded.layout import ROOT
from libs.common.clickhouse.migrations import BOOKKEEPING, fill, load_migrations, only_if
from libs.common.settings import ClickHouseSettings

SCHEMA = ROOT / "schema" / "clickhouse"
_COMMAND = "python -m cli.declared_schema --write"
_PLAIN = ClickHouseSettings(database="airis")
_TWICE = ClickHouseSettings(database="twice")
_REPLICATED = ClickHouseSettings(database="replicated", replicated=True)
_CLUSTER = ClickHouseSettings(database="airis", cluster="main", replicated=True)
# ON CLUSTER gives each table an id that the default path holds; without a cluster the name has to do.
_CONFIGURATION = """<clickhouse>
  <zookeeper><implementation>testkeeper</implementation></zookeeper>
  <macros><shard>1</shard><replica>1</replica></macros>
  <default_replica_path>/tables/{database}/{table}</default_replica_path>
</clickhouse>
"""

_RENAME = re.compile(r"^RENAME TABLE (\S+)", re.MULTILINE)

Tables = Mapping[str, str]


def read_declared(folder: Path) -> dict[str, str]:
    """The declared statements by table name."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))}


def write_declared(folder: Path, tables: Tables) -> None:
    """Make the folder hold these tables and no other."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.sql"):
        if file.stem not in tables:
            file.unlink()
    for name, sql in tables.items():
        (folder / f"{name}.sql").write_text(sql, encoding="utf-8")


def compare(migrated: Tables, declared: Tables) -> list[str]:
    """One line for each table that is not what it is declared to be."""
    found = []
    for name in sorted(migrated.keys() | declared.keys()):
        if name not in declared:
            found.append(f"declared/{name}.sql: missing; the migrations make this table")
        elif name not in migrated:
            found.append(f"declared/{name}.sql: no migration makes this table")
        elif migrated[name] != declared[name]:
            is_made, is_said = _first_difference(migrated[name], declared[name])
            found.append(f"declared/{name}.sql: says {is_said!r}, the migrations make {is_made!r}")
    return found


def migrate(folder: Path) -> tuple[dict[str, str], list[str]]:
    """SHOW CREATE of every table and view after all migrations, and what is wrong with the migrations themselves."""
    with _engine() as engine:
        _apply(engine, folder, _PLAIN)
        tables = _tables(engine, _PLAIN)
        _apply(engine, folder, _TWICE, times=2)
        repeated = {name: sql.replace("twice.", "airis.") for name, sql in _tables(engine, _TWICE).items()}
        problems = [f"a second run changes a table: {line}" for line in compare(repeated, tables)]
        for statement in _statements(folder, _CLUSTER):
            # Which statements run on a cluster only a cluster can tell; that they parse, this engine can.
            engine.run(Job(f"SELECT formatQuery({quote(statement)})", "Null"))
            if " ON CLUSTER 'main'" not in statement:
                problems.append(f"runs on one server of a cluster only; add ${{ON_CLUSTER}}: {statement[:60]!r}")
        problems += [f"{name} is not replicated; use ${{REPLICATED}}" for name in _not_replicated(engine, folder)]
    return tables, problems


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all is well, else 1 with one line per problem."""
    parser = argparse.ArgumentParser(prog="python -m cli.declared_schema", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the declared files up to date with the migrations")
    parser.add_argument("--schema", type=Path, default=SCHEMA, help="a folder with migrations/ and declared/")
    arguments = parser.parse_args(argv)
    declared = arguments.schema / "declared"
    try:
        tables, problems = migrate(arguments.schema / "migrations")
    except EngineError as error:
        sys.stderr.write(f"a migration fails: {error}\n")
        return 1
    if arguments.write:
        write_declared(declared, tables)
    drift = compare(tables, read_declared(declared))
    if drift:
        problems += [*drift, f"If the migrations are right: {_COMMAND}"]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


@contextmanager
def _engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="airis-schema-") as folder:
        configuration = Path(folder) / "engine.xml"
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
        engine = Engine(f"{folder}/data", str(configuration))
        try:
            yield engine
        finally:
            engine.close()


def _apply(engine: Engine, folder: Path, settings: ClickHouseSettings, *, times: int = 1) -> None:
    """Run every file, `times` times each: what was cut off is run again before the next."""
    for statements in _files(folder, settings):
        for statement in statements * times:
            condition = only_if(statement)
            if condition is None or engine.run(Job(condition, "TSV")).data:
                engine.run(Job(statement, "Null"))


def _files(folder: Path, settings: ClickHouseSettings) -> Iterator[list[str]]:
    yield [fill(statement, settings) for statement in BOOKKEEPING]
    for migration in load_migrations(folder):
        yield migration.render(settings)


def _statements(folder: Path, settings: ClickHouseSettings) -> Iterator[str]:
    for statements in _files(folder, settings):
        yield from statements


def _not_replicated(engine: Engine, folder: Path) -> list[str]:
    try:
        for statement in _statements(folder, _REPLICATED):
            # The only statements that say what a table's engine is, and may run here.
            if statement.startswith("CREATE"):
                engine.run(Job(statement, "Null"))
            elif renamed := _RENAME.search(statement):
                # Its path in ZooKeeper is the name here, and the next table of that name wants it.
                engine.run(Job(f"DROP TABLE IF EXISTS {renamed[1]} SYNC", "Null"))
        return _lines(
            engine,
            "SELECT name FROM system.tables WHERE database = 'replicated'"
            " AND engine LIKE '%MergeTree' AND engine NOT LIKE 'Replicated%'",
        )
    finally:
        # An engine that still holds replicated tables waits for ever when it is closed.
        engine.run(Job("DROP DATABASE IF EXISTS replicated", "Null"))


def _tables(engine: Engine, settings: ClickHouseSettings) -> dict[str, str]:
    names = _lines(engine, f"SHOW TABLES FROM {settings.database}")
    return {
        name: engine.run(Job(f"SHOW CREATE TABLE {settings.database}.{name}", "TSVRaw")).data.decode().rstrip() + "\n"
        for name in names
    }


def _lines(engine: Engine, sql: str) -> list[str]:
    return engine.run(Job(sql, "TSVRaw")).data.decode().split()


def _first_difference(made: str, said: str) -> tuple[str, str]:
    made_lines, said_lines = made.splitlines(), said.splitlines()
    for one, other in zip(made_lines, said_lines, strict=False):
        if one != other:
            return one.strip(), other.strip()
    longest = min(len(made_lines), len(said_lines))
    return "\n".join(made_lines[longest:]).strip(), "\n".join(said_lines[longest:]).strip()


if __name__ == "__main__":
    sys.exit(main())
