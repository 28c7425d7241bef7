"""Results as JSON, and the same as Markdown tables: benchmarks/results/<date>-<name>.{json,md}."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, Any]


@dataclass
class Report:
    """One run of a benchmark: tables of rows under headings, and what is to be known about them."""

    name: str
    method: str
    options: dict[str, Any]
    machine: dict[str, Any] = field(default_factory=machine.describe)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, heading: str, rows: Sequence[Row], note: str = "") -> None:
        """A table. Shown at once, so that a run that ends early has said what it knew."""
        self.tables[heading] = {"note": note, "run_with": self.options, "rows": list(rows)}
        print(f"\n## {heading}\n\n{_table(rows)}\n{note}", flush=True)

    def write(self, folder: Path = RESULTS) -> None:
        """Both files. A second run on the same day replaces the tables it made and keeps the others."""
        folder.mkdir(exist_ok=True)
        stem = f"{self.at[:10]}-{self.name}"
        earlier = folder / f"{stem}.json"
        if earlier.exists():
            self.tables = json.loads(earlier.read_text("utf-8"))["tables"] | self.tables
        (folder / f"{stem}.json").write_text(json.dumps(vars(self), indent=1, ensure_ascii=False) + "\n", "utf-8")
        (folder / f"{stem}.md").write_text(self._markdown(), "utf-8")

    def _markdown(self) -> str:
        facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.machine.items())
        parts = [f"# {self.name}, {self.at[:10]}", self.method, f"Machine: {facts}."]
        for heading, table in self.tables.items():
            options = ", ".join(f"{name} {value}" for name, value in table["run_with"].items())
            parts += [f"## {heading}", _table(table["rows"]), *filter(None, [table["note"]]), f"Run with: {options}."]
        return "\n\n".join(parts) + "\n"


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and most, rounded to three significant digits or whole numbers."""
    known = sorted(values)
    return {"median": tidy(statistics.median(known)), "least": tidy(known[0]), "most": tidy(known[-1])}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, by nearest rank."""
    known = sorted(values)
    return known[min(len(known) - 1, int(share * len(known)))]


def tidy(value: float) -> float:
    """Three significant digits; whole numbers stay whole."""
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded >= 100 else rounded


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "(nothing)"
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---" if isinstance(rows[0].get(name), str) else "--:" for name in names]]
    lines += [[_cell(row.get(name)) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
