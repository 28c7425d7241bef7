"""Keep contracts/telemetry/metrics.yaml and the code's declarations the same: `python -m libs.common.telemetry_contract`.

The code is read, not run, so a declaration's arguments must be literals. `--write` brings the file up to date and keeps
what people added to an entry (`act`: who does what when it moves).
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path("contracts/telemetry/metrics.yaml")
SOURCES = ("libs", "services", "embedded", "cli", "demo")
_KINDS = frozenset({"counter", "gauge", "histogram"})
_OWN_MODULE = "libs/common/metrics.py"
_DIRECT = frozenset({"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"})
_HEADER = """\
# Every metric we emit: the page to read before drawing a dashboard or an alert. One name, one declaration in code.
# type, unit, labels, meaning and declared_in are written by `python -m libs.common.telemetry_contract --write`;
# `act` is for people: who does what when it moves.
"""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A metric as declared in code. `labels` in order; `unit` is what one is one of."""

    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    meaning: str
    declared_in: str

    def entry(self) -> dict[str, Any]:
        """Its part of the contract."""
        return {key: value for key, value in asdict(self).items() if key != "name"} | {"labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit, and where."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def check(root: Path) -> list[Problem]:
    """Differences between the contract under `root` and its code; empty when they agree."""
    declarations, problems = read_code(root)
    return problems + compare(declarations, read_contract(root))


def read_code(root: Path) -> tuple[list[Declaration], list[Problem]]:
    """Every declaration under `root`, and the ones that cannot be read or bypass libs.common.metrics."""
    declarations: list[Declaration] = []
    problems: list[Problem] = []
    for path in (path for source in SOURCES for path in sorted((root / source).rglob("*.py"))):
        where = path.relative_to(root).as_posix()
        if where == _OWN_MODULE:
            continue
        for found in _read_module(ast.parse(path.read_text(encoding="utf-8")), where):
            if isinstance(found, Declaration):
                declarations.append(found)
            else:
                problems.append(found)
    return declarations, problems


def read_contract(root: Path) -> dict[str, dict[str, Any]]:
    """The contract's entries by metric name; empty when there is no file."""
    path = root / CONTRACT
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    return dict((content or {}).get("metrics") or {})


def compare(declarations: Sequence[Declaration], contract: dict[str, dict[str, Any]]) -> list[Problem]:
    """Names declared twice, missing on one side, or described differently."""
    problems: list[Problem] = []
    known: dict[str, Declaration] = {}
    for declaration in declarations:
        first = known.setdefault(declaration.name, declaration)
        if first is not declaration:
            problems.append(
                Problem(declaration.declared_in, f"{declaration.name} is declared in {first.declared_in} too")
            )
    for name, declaration in sorted(known.items()):
        entry = contract.get(name)
        if entry is None:
            problems.append(Problem(declaration.declared_in, f"{name} is not in {CONTRACT}"))
            continue
        problems.extend(
            Problem(f"{CONTRACT}: {name}", f"{field} is {entry.get(field)!r}, the code says {expected!r}")
            for field, expected in declaration.entry().items()
            if entry.get(field) != expected
        )
    problems.extend(
        Problem(f"{CONTRACT}: {name}", "no code declares it") for name in sorted(contract.keys() - known.keys())
    )
    return problems


def write(root: Path) -> list[Problem]:
    """Bring the contract up to date; the problems that only a change of code can solve."""
    declarations, problems = read_code(root)
    contract = read_contract(root)
    entries = {
        declaration.name: {**contract.get(declaration.name, {}), **declaration.entry()}
        for declaration in sorted(declarations, key=lambda declaration: declaration.name)
    }
    text = yaml.safe_dump({"metrics": entries}, sort_keys=False, allow_unicode=True, width=120)
    path = root / CONTRACT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_HEADER + text, encoding="utf-8")
    return problems + compare(declarations, entries)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when contract and code agree, else 1 with one line per problem."""
    parser = argparse.ArgumentParser(prog="python -m libs.common.telemetry_contract", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the contract up to date with the code")
    parser.add_argument("--root", type=Path, default=Path())
    arguments = parser.parse_args(argv)
    problems = write(arguments.root) if arguments.write else check(arguments.root)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if problems and not arguments.write:
        sys.stdout.write("If the code is right: python -m libs.common.telemetry_contract --write\n")
    return 1 if problems else 0


def _read_module(tree: ast.Module, where: str) -> Iterator[Declaration | Problem]:
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "libs.common.metrics":
            aliases |= {name.asname or name.name: name.name for name in node.names if name.name in _KINDS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client"):
            for name in node.names:
                if name.name in _DIRECT:
                    yield Problem(f"{where}:{node.lineno}", f"declare with libs.common.metrics, not with {name.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in aliases:
            yield _read_call(node, aliases[node.func.id], where)


def _read_call(call: ast.Call, kind: str, where: str) -> Declaration | Problem:
    try:
        name, meaning = (ast.literal_eval(argument) for argument in call.args)
        keywords = {word.arg: word.value for word in call.keywords}
        unit = ast.literal_eval(keywords["unit"])
        labels = ast.literal_eval(keywords["labels"]) if "labels" in keywords else ()
    except (ValueError, KeyError):
        return Problem(f"{where}:{call.lineno}", f"a {kind}'s name, meaning, unit and labels must be literals")
    return Declaration(name, kind, unit, tuple(labels), meaning, where)


if __name__ == "__main__":
    sys.exit(main())
