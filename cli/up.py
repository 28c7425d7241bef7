"""`airis up`: from nothing to a product that answers, with progress on the way."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from cli.installation import Running, last_state, occupied, running
from cli.jobs import all_jobs, jobs_table, one_job
from cli.web_build import BuildFailed, build, is_built
from demo.settings import BACKFILL_JOB
from embedded.layout import ROOT, Layout, Ports, Secrets
from embedded.private_files import keep_private
from embedded.processes import end, left_behind, until_gone
from embedded.supervisor import DRAIN_SECONDS, tail

PATIENCE_SECONDS = 180.0


def up(console: Console, data_dir: Path, port_base: int | None, *, demo: bool) -> int:
    """Start everything, or show what runs already. Returns the exit code."""
    present = running(data_dir)
    if present is not None and present.phase in {"starting", "ready"}:
        console.print(f"already running from {_shown(data_dir)} ([bold]airis down[/] stops it)")
        if port_base is not None and present.layout.ports != Ports.from_base(port_base):
            console.print("it runs on other ports; stop it first to move them")
            return 1
        return _wait(console, present.layout, time.monotonic())
    if present is not None:
        until_gone([present.supervisor], 60)
    layout = Layout(data_dir, _ports(data_dir, port_base), demo)
    started = time.monotonic()
    if leftovers := left_behind(data_dir):
        with console.status("ending what a killed supervisor left behind"):
            end(leftovers, DRAIN_SECONDS)
    if taken := occupied(layout.ports):
        for one in taken:
            console.print(f"[red]port {one.port}[/] ({one.name}) is taken by {one.holder}")
        console.print("stop that program, or move every port: [bold]make up ARGS='--port-base 20000'[/]")
        return 1
    Secrets.load_or_make(layout.secrets_file)
    if not _step(console, "building the web UI (first time or changed sources)", build, needed=not is_built()):
        return 1
    _launch(layout)
    return _wait(console, layout, started)


def _ports(data_dir: Path, port_base: int | None) -> Ports:
    if port_base is not None:
        return Ports.from_base(port_base)
    state = last_state(data_dir)
    return Ports.from_state(state["ports"]) if state else Ports()


def _step(console: Console, what: str, work: Callable[[], None], *, needed: bool) -> bool:
    if not needed:
        return True
    began = time.monotonic()
    try:
        with console.status(what):
            work()
    except (BuildFailed, subprocess.TimeoutExpired) as error:
        console.print(f"[red]{what} failed[/]\n{error}")
        return False
    console.print(f"[green]✓[/] {what} [dim]{time.monotonic() - began:.0f} s[/]")
    return True


def _launch(layout: Layout) -> None:
    layout.state_file.unlink(missing_ok=True)
    # Not earlier: the web UI that was built above is no secret, and images are made from it.
    keep_private()
    layout.logs.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "embedded.supervisor",
        str(layout.data_dir), json.dumps(asdict(layout.ports)), "demo" if layout.demo else "no-demo",
    ]  # fmt: skip
    with (layout.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _wait(console: Console, layout: Layout, started: float) -> int:
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with console.status("starting") as status:
        while time.monotonic() < deadline:
            state = last_state(layout.data_dir) or {"phase": "starting", "message": "starting", "processes": {}}
            for name, process in state["processes"].items():
                if process["ready"] and name not in seen:
                    seen.add(name)
                    console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - started:.1f} s[/]")
            if state["phase"] == "ready":
                break
            if state["phase"] in {"failed", "stopped"}:
                console.print(f"[red]could not start[/]\n{state['message']}")
                console.print(f"logs: {_shown(layout.logs)}; [bold]airis doctor[/] checks the machine")
                return 1
            status.update(state["message"])
            time.sleep(0.1)
        else:
            console.print(
                f"[red]not ready after {PATIENCE_SECONDS:.0f} s[/]; see [bold]airis status[/] and {_shown(layout.logs)}"
            )
            console.print(tail(layout.logs / "supervisor.log", 20))
            return 1
    panel(console, layout, time.monotonic() - started)
    return 0


def panel(console: Console, layout: Layout, seconds: float) -> None:
    """Where everything is."""
    run = json.loads(layout.run_file.read_text())
    table = Table.grid(padding=(0, 2))
    for label, value in (
        ("UI", f"[bold]{run['gateway']}[/]"),
        ("sign in", f"{run['admin_email']}   {run['admin_password']}"),
        ("API", f"{run['gateway']}/api/docs"),
        ("OTLP", f"{run['otlp_http']} (HTTP)   {run['otlp_grpc']} (gRPC)"),
        ("key", run["api_key"]),
        ("data", _shown(layout.data_dir)),
        ("demo", _demo(layout) if layout.demo else "off"),
        ("next", "airis status · airis logs · airis demo fault checkout-latency · airis down"),
    ):
        table.add_row(f"[dim]{label}[/]", value)
    console.print(Panel(table, title=f"AIRIS-MON is up ({seconds:.1f} s)", border_style="green", expand=False))


def _demo(layout: Layout) -> str:
    text = "a simulated shop is sending"
    job = one_job(_redis_url(layout), BACKFILL_JOB)
    if job is None or (job.last is not None and job.last.done):
        return text
    return f"{text}, and its past day is being filled in ([bold]airis status[/] shows how far)"


def _redis_url(layout: Layout) -> str:
    return layout.environment(Secrets.load_or_make(layout.secrets_file))["AIRIS_REDIS_URL"]


def status(console: Console, data_dir: Path) -> int:
    """What runs, how much memory it takes, how often it was started again, and what works in the background."""
    present = running(data_dir)
    if present is None:
        console.print("not running; [bold]airis up[/] starts it")
        return 1
    _status_table(console, present)
    if jobs := all_jobs(_redis_url(present.layout)):
        console.print(jobs_table(jobs))
    return 0 if present.phase == "ready" else 1


def _status_table(console: Console, present: Running) -> None:
    table = Table("process", "pid", "ready", "restarts", "resident MiB", title=f"{present.phase}: {present.message}")
    total = psutil.Process(present.supervisor.pid).memory_info().rss
    table.add_row("supervisor", str(present.supervisor.pid), "yes", "", f"{total / 2**20:.0f}")
    for name, process in present.processes.items():
        try:
            resident = _resident(psutil.Process(process["pid"])) if process["pid"] else 0
        except psutil.NoSuchProcess:
            resident = 0
        total += resident
        ready = "yes" if process["ready"] else "no"
        table.add_row(name, str(process["pid"] or "-"), ready, str(process["restarts"]), f"{resident / 2**20:.0f}")
    table.add_section()
    table.add_row("total", "", "", "", f"{total / 2**20:.0f}")
    console.print(table)


def _resident(process: psutil.Process) -> int:
    """Bytes of a process and of those it has started, as the demo shop does to fill in its past."""
    return int(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
