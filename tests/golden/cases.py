"""Cases of SQL statements as folders.

    <area>/input/<table>.yaml              rows that every read of the area finds; the id columns are hex
    <area>/<statement>/<case>/case.yaml    what to run, see Case
    <area>/<statement>/<case>/request.json an OTLP request in JSON, for the statements that take one (`request` names another)
    <area>/<statement>/<case>/expected.jsonl

`!ns` and `!s` before a time make unix nanoseconds and seconds of it.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
# Where the statements of an area lie.
AREAS = {
    "analytics": ROOT / "services" / "analytics" / "queries",
    "api_gateway": ROOT / "services" / "api_gateway" / "queries",
    "ingestion": ROOT / "services" / "ingestion" / "queries",
}
_UPDATE = os.environ.get("AIRIS_UPDATE_GOLDEN") == "1"
_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})


class _Loader(yaml.SafeLoader):
    """SafeLoader with `!ns` and `!s`."""


def _nanoseconds(loader: _Loader, node: yaml.ScalarNode) -> int:
    moment = datetime.fromisoformat(loader.construct_scalar(node)).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


_Loader.add_constructor("!ns", _nanoseconds)
_Loader.add_constructor("!s", lambda loader, node: _nanoseconds(loader, node) // 10**9)


@dataclass(frozen=True)
class Case:
    """One case. A write runs once for each of `runs`, and `then` says what to look at; a read gives its own rows."""

    folder: Path
    promise: str
    runs: tuple[dict[str, Any], ...]
    condition: str | None
    service: str | None
    then: str | None
    without: frozenset[str]
    request: Path
    order: str

    @property
    def area(self) -> str:
        return self.folder.parents[1].name

    @property
    def statement(self) -> str:
        return self.folder.parent.name

    @property
    def is_write(self) -> bool:
        return self.statement.startswith("insert_")

    def __str__(self) -> str:
        return "/".join(self.folder.parts[-3:])

    def lines(self, rows: list[dict[str, Any]]) -> str:
        """The rows as the expected file has them."""
        kept = ({name: value for name, value in row.items() if name not in self.without} for row in rows)
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in kept]
        match self.order:
            case "any":  # the statement promises none
                lines = sorted(lines)
            case "set":  # nor how often a row comes, since the engine merges equal rows when it likes
                lines = sorted(set(lines))
        return "".join(lines)

    def check(self, rows: list[dict[str, Any]]) -> None:
        """Compare with the expected file, or write it."""
        if _UPDATE:
            self._expected.write_text(self.lines(rows), encoding="utf-8")
        assert self.lines(rows) == self.expected(), (
            f"{self}: {self.promise}\nIf the new answer is right: AIRIS_UPDATE_GOLDEN=1, and review the diff"
        )

    def expected(self) -> str:
        return self._expected.read_text(encoding="utf-8")

    @property
    def _expected(self) -> Path:
        return self.folder / "expected.jsonl"


def cases() -> list[Case]:
    return [_load(path) for path in sorted(FOLDER.glob("*/*/*/case.yaml"))]


def input_rows(area: str) -> dict[str, list[dict[str, Any]]]:
    """Rows by table."""
    return {path.stem: [_row(row) for row in read(path)] for path in sorted((FOLDER / area / "input").glob("*.yaml"))}


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def _load(path: Path) -> Case:
    content = read(path)
    known = {"promise", "parameters", "runs", "condition", "service", "then", "without", "request", "order"}
    assert content.keys() <= known, f"{path}: {content.keys() - known}"
    return Case(
        path.parent,
        content["promise"],
        tuple(content.get("runs", [content.get("parameters", {})])),
        content.get("condition"),
        content.get("service"),
        content.get("then"),
        frozenset(content.get("without", [])),
        path.parent / content.get("request", "request.json"),
        content.get("order", "given"),
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bytes.fromhex(value).decode("ascii") if name in _IDS else value for name, value in row.items()}
