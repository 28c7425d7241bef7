"""`airis doctor`: everything the product needs from this machine, and what to do about what is missing."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli import doctor_machine as machine
from cli import doctor_product as product
from cli.findings import Finding, problem
from cli.installation import last_state, running
from embedded.layout import Ports, Secrets

_MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}

Check = Callable[[], Iterable[Finding]]


def run_doctor(data_dir: Path, port_base: int | None, as_json: bool) -> int:
    """Check everything and print it. Returns 1 when there is a problem, warnings are no problem."""
    found = list(examine(checks(data_dir, port_base)))
    if as_json:
        sys.stdout.write(json.dumps({"findings": [asdict(finding) for finding in found]}, indent=2) + "\n")
    else:
        _show(found)
    return int(any(finding.level == "problem" for finding in found))


def checks(data_dir: Path, port_base: int | None) -> list[Check]:
    """The machine first, because its problems explain the product's."""
    state, present = last_state(data_dir), running(data_dir)
    ports = Ports.from_state(state["ports"]) if state else Ports()
    if port_base is not None:
        ports = Ports.from_base(port_base)
    listed: list[Check] = [
        machine.check_python,
        machine.check_dependencies,
        machine.check_engines,
        machine.check_web,
        lambda: machine.check_disk(data_dir),
        machine.check_memory,
        machine.check_limits,
        machine.check_clock,
        lambda: product.check_state(present, data_dir),
    ]
    if present is None or port_base is not None:
        listed.append(lambda: machine.check_ports(ports))
    if present is not None:
        layout = present.layout
        made = Secrets.load_or_make(layout.secrets_file)
        listed += [
            lambda: product.check_readiness(layout, made),
            lambda: product.check_redis(layout, made),
            lambda: product.check_clickhouse(layout, made),
            lambda: product.check_lag(layout),
        ]
    return listed


def examine(listed: Iterable[Check]) -> Iterator[Finding]:
    """Findings of every check; one that fails is itself a finding, so that the others are still seen."""
    for check in listed:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 (whatever is broken here is what the doctor is for)
            name = getattr(check, "__name__", "check").removeprefix("check_")
            yield problem(name, f"could not be looked at: {type(error).__name__}: {error}", "Report this as a bug.")


def _show(found: Iterable[Finding]) -> None:
    console = Console()
    table = Table.grid(padding=(0, 2))
    for finding in found:
        table.add_row(_MARKS[finding.level], finding.name, finding.detail)
        if finding.advice:
            table.add_row("", "", f"[dim]→ {finding.advice}[/]")
    console.print(table)
