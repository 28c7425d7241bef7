"""SQL lives in .sql files, and of Python only repositories name tables. Read from the source, so that no path is missed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECLARED = ROOT / "schema" / "clickhouse" / "declared"
TABLES = frozenset(file.stem for file in DECLARED.glob("*.sql"))
# Folders and files with statements in Python, each with its reason.
MAY_HOLD_SQL = {
    "libs/common/clickhouse": "the client's own (ready, cancel), and the migration runner's, which come before any schema",
    "libs/common/control_store": "the migration runner's own schema, and the readiness query",
    "libs/common/query": "the registry of signals and what compiles questions to plans (decision 0026); callers' texts are bound",
    "embedded/clickhouse_front": "the engine's own: formats, version, cancel, temporary tables",
    "cli/declared_schema.py": "asks the engine what migrations made",
    "cli/doctor_product.py": "asks the engine's system tables",
    "demo": "what the shop's spans claim to have asked a database; nothing runs it",
}
_STATEMENT = re.compile(
    r"\s*(WITH\s.+\sSELECT\s|SELECT\s|INSERT\s+INTO\s|DELETE\s+FROM\s|ALTER\s+TABLE\s|TRUNCATE\s|OPTIMIZE\s+TABLE\s"
    r"|CREATE\s+(OR\s+REPLACE\s+)?(TABLE|VIEW|DATABASE|MATERIALIZED)\s|DROP\s+(TABLE|VIEW|DATABASE)\s|KILL\s+QUERY\s)",
    re.DOTALL,
)
# Words that are names of other things too count where SQL has a table; the others wherever they stand alone.
_UNMISTAKABLE = frozenset(table for table in TABLES if "_" in table) - {"api_keys"}
_IN_SQL = re.compile(rf"\b(?:FROM|JOIN|INTO|TABLE)\s+(?:{'|'.join(sorted(TABLES))})\b")


def violations(root: Path) -> list[str]:
    """One line for each statement and table name in Python that should not be there."""
    return [
        f"{file.relative_to(root).as_posix()}:{line}: {what}"
        for folder in ("services", "libs", "embedded", "cli", "demo")
        for file in sorted((root / folder).rglob("*.py"))
        if "node_modules" not in file.parts
        for line, what in _in_file(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())
    ]


def _in_file(source: str, name: str) -> Iterator[tuple[int, str]]:
    if any(name == allowed or name.startswith(f"{allowed}/") for allowed in MAY_HOLD_SQL):
        return
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    # Repositories choose tables and columns for statements that take one, and name statements after them; control/ declares
    # the tables of a service's control store, in Python as SQLAlchemy and Alembic have them.
    names_tables = name.startswith("services/") and (name.endswith("/repository.py") or "/control/" in name)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in prose:
            continue
        if _STATEMENT.match(node.value):
            yield node.lineno, "a statement; put it into queries/<name>.sql"
        elif (node.value in _UNMISTAKABLE or _IN_SQL.search(node.value)) and not names_tables:
            yield node.lineno, "names a table; only repository.py and queries/*.sql may"


def test_this_repository_keeps_them() -> None:
    assert violations(ROOT) == []


def test_exceptions_still_exist() -> None:
    assert [name for name in MAY_HOLD_SQL if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("services/analytics/red.py", "Q = 'SELECT count() FROM red_1m'", "a statement"),
        ("services/analytics/repository.py", "Q = f'''\n  WITH x AS (SELECT 1) SELECT {a}'''", "a statement"),
        ("libs/common/auth/api_keys.py", "run(f'INSERT INTO {table} VALUES')", "a statement"),
        ("services/ingestion/storing.py", "TABLE = 'metric_points'", "names a table"),
        ("services/ingestion/writer.py", "'count() ' + 'FROM spans'", "names a table"),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, file: str, code: str, said: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (found,) = violations(tmp_path)
    assert found.startswith(f"{file}:")
    assert said in found


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("services/analytics/repository.py", "TABLE = 'metric_points'"),
        ("services/analytics/routes/logs.py", "'''SELECT is what a reader knows.'''\nSIGNALS = ('logs', 'spans')"),
        ("demo/shop.py", "Q = 'SELECT id FROM products'"),
    ],
)
def test_what_is_allowed_is_not(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert violations(tmp_path) == []
