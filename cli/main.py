"""The `airis` command."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.installation import last_state, running
from cli.up import status as show_status
from cli.up import up as start
from embedded.layout import ADMIN_EMAIL, ROOT, Layout, Ports, Secrets
from embedded.private_files import keep_private
from embedded.processes import end, left_behind, until_gone
from embedded.supervisor import DRAIN_SECONDS
from libs.common.clickhouse import open_clickhouse
from libs.common.clickhouse.carrying import Carrier
from libs.common.clickhouse.migrations import MigrationFailed, MigrationRefused
from libs.common.clickhouse.migrations import migrate as apply_migrations
from libs.common.errors import AirisError
from libs.common.settings import ClickHouseSettings, ControlSettings

STOP_SECONDS = 200.0

app = typer.Typer(no_args_is_help=True, add_completion=False, help="AIRIS-MON on this machine.")
demo_app = typer.Typer(no_args_is_help=True, help="The simulated shop.")
app.add_typer(demo_app, name="demo")
console = Console()

DataDir = Annotated[Path, typer.Option("--data-dir", help="Where data, logs and secrets lie.", envvar="AIRIS_DATA_DIR")]
DEFAULT_DATA_DIR = ROOT / ".airis"


@app.command()
def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port_base: Annotated[
        int | None, typer.Option(help="Move every port; the UI gets this one.", min=1024, max=65000)
    ] = None,
    demo: Annotated[bool, typer.Option(help="Send traffic from the simulated shop.")] = True,
) -> None:
    """Start everything and leave it running."""
    raise typer.Exit(start(console, data_dir.resolve(), port_base, demo=demo))


@app.command()
def down(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop everything; data stays."""
    present = running(data_dir.resolve())
    if present is None:
        leftovers = left_behind(data_dir.resolve())
        end(leftovers, DRAIN_SECONDS)
        console.print("stopped what a killed supervisor had left" if leftovers else "not running")
        return
    with console.status("draining and stopping"):
        present.supervisor.send(signal.SIGTERM)
        late = until_gone([present.supervisor], STOP_SECONDS)
    if late:
        console.print(f"[red]still stopping after {STOP_SECONDS:.0f} s[/]; see {present.layout.logs}")
        raise typer.Exit(1)
    console.print("stopped")


@app.command()
def status(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """What runs, its memory and its restarts."""
    raise typer.Exit(show_status(console, data_dir.resolve()))


@app.command()
def logs(
    process: Annotated[str, typer.Argument(help="One process, or all.")] = "all",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option(help="Lines of each to begin with.", min=0)] = 50,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show the logs of the processes."""
    folder = data_dir.resolve() / "logs"
    files = sorted(folder.glob("*.log")) if process == "all" else [folder / f"{process}.log"]
    if not files or not all(file.exists() for file in files):
        names = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        console.print(f"no log of {process!r}; there are: {names}")
        raise typer.Exit(1)
    _print_logs(files, lines, follow=follow)


def _print_logs(files: list[Path], lines: int, *, follow: bool) -> None:
    positions = {}
    for file in files:
        text = file.read_text(errors="replace")
        positions[file] = len(text.encode())
        for line in text.splitlines()[-lines:] if lines else ():
            console.out(f"{file.stem:<11} {line}", highlight=False)
    while follow:
        time.sleep(0.3)
        for file in files:
            size = file.stat().st_size
            if size < positions[file]:  # rotated
                positions[file] = 0
            if size > positions[file]:
                with file.open("rb") as stream:
                    stream.seek(positions[file])
                    fresh = stream.read()
                whole = fresh[: fresh.rfind(b"\n") + 1]
                positions[file] += len(whole)
                for line in whole.decode("utf-8", "replace").splitlines():
                    console.out(f"{file.stem:<11} {line}", highlight=False)


def installation_environment(data_dir: Path) -> dict[str, str]:
    """Settings of the installation in `data_dir`, for commands that use its engines."""
    state = last_state(data_dir)
    layout = Layout(data_dir, Ports.from_state(state["ports"]) if state else Ports(), demo=False)
    return layout.environment(Secrets.load_or_make(layout.secrets_file)) if layout.secrets_file.exists() else {}


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option(help="Print the statements, change nothing.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Bring all schemas up to date: the telemetry store's and each service's control store.

    Then carries older rows into today's tables, which may be cut off and run again. Uses AIRIS_CLICKHOUSE_* and AIRIS_CONTROL_* when
    set, else this machine's installation.
    """
    if "AIRIS_CLICKHOUSE_URL" not in os.environ:
        os.environ.update(installation_environment(data_dir.resolve()))

    from libs.common.control_store.migrations import ControlMigrationFailed, migrate_control

    async def run() -> int:
        async with open_clickhouse(ClickHouseSettings(), database="") as clickhouse:
            schema = ROOT / "schema" / "clickhouse"
            count = len(
                await apply_migrations(clickhouse, schema / "migrations", report=console.print, dry_run=dry_run)
            )
            count += await migrate_control(ControlSettings(), console.print, dry_run=dry_run)
            if not dry_run:
                await Carrier(clickhouse, schema / "carrying", console.print).carry()
            return count

    try:
        count = asyncio.run(run())
    except (AirisError, MigrationFailed, MigrationRefused, ControlMigrationFailed) as error:
        console.print(f"[red]migration failed[/]: {error}")
        raise typer.Exit(1) from None
    console.print(f"{count} {'pending' if dry_run else 'applied'}" if count else "the schema is up to date")


@app.command()
def password(
    email: Annotated[str, typer.Argument(help="Whose; empty for the administrator's.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Set somebody's password and end all their sessions. Asks for it, or reads one line that is piped in."""
    from cli.password import set_password

    if "AIRIS_CONTROL_URL" not in os.environ:
        os.environ.update(installation_environment(data_dir.resolve()))
    try:
        changed = asyncio.run(set_password(email or ADMIN_EMAIL, _new_password()))
    except AirisError as error:
        console.print(f"[red]not changed[/]: {error.detail}")
        raise typer.Exit(1) from None
    console.print(f"the password of {changed} is changed, and all sessions are over")


def _new_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    entered: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    return entered


@app.command()
def doctor(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port_base: Annotated[int | None, typer.Option(help="Check these ports instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Check everything this product needs, and say what to do."""
    from cli.doctor import run_doctor

    raise typer.Exit(run_doctor(data_dir.resolve(), port_base, as_json))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One of them; empty for all.")] = "",
) -> None:
    """Run the benchmarks and write benchmarks/results/. What follows the name goes to the benchmark, see its --help."""
    known = sorted(file.stem.removeprefix("bench_") for file in (ROOT / "benchmarks").glob("bench_*.py"))
    if name and name not in known:
        console.print(f"no benchmark {name!r}; there are: {', '.join(known)}")
        raise typer.Exit(1)
    for one in [name] if name else known:
        console.rule(one)
        command = [sys.executable, "-m", f"benchmarks.bench_{one}", *context.args]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise typer.Exit(1)


@demo_app.command()
def fault(
    name: Annotated[str, typer.Argument(help="Which fault; empty lists them.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Mend it.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Break the demo shop in a known way, or mend it."""
    from demo import faults

    control = Layout(data_dir.resolve(), Ports(), demo=True).demo_control
    if not name:
        table = Table("fault", "service", "what happens", "")
        active = faults.active(control)
        for known in faults.FAULTS.values():
            table.add_row(
                known.name, known.service, known.description("en"), "[red]on[/]" if known.name in active else ""
            )
        console.print(table)
        return
    if name not in faults.FAULTS:
        console.print(f"no fault {name!r}; there are: {', '.join(sorted(faults.FAULTS))}")
        raise typer.Exit(1)
    keep_private()
    (faults.deactivate if off else faults.activate)(control, name)
    console.print(f"{name} is {'off' if off else 'on'}")


@demo_app.command()
def backfill(
    hours: Annotated[float, typer.Option(help="How far back.", min=0.01, max=24 * 30)] = 24.0,
    incident: Annotated[
        list[str] | None, typer.Option("--fault", help="Something that happened, as in payment-errors@3h/20m.")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the one that runs in the background.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Give the demo shop a past: send what would have happened, at full speed."""
    present = running(data_dir.resolve())
    if present is None:
        console.print("not running; [bold]airis up[/] starts it")
        raise typer.Exit(1)
    if cancel:
        raise typer.Exit(_cancel_backfill(installation_environment(data_dir.resolve())["AIRIS_REDIS_URL"]))
    faults = [part for one in incident or () for part in ("--fault", one)]
    command = [sys.executable, "-m", "demo", "backfill", "--hours", str(hours), *faults]
    environment = {**os.environ, **installation_environment(data_dir.resolve())}
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


def _cancel_backfill(redis_url: str) -> int:
    from cli.jobs import cancel
    from demo.settings import BACKFILL_JOB

    match cancel(redis_url, BACKFILL_JOB):
        case None:
            console.print("Redis does not answer; [bold]airis doctor[/] checks the machine")
            return 1
        case False:
            console.print("no backfill is running")
            return 1
        case _:
            console.print("the backfill ends within seconds; what it has filled in stays")
            return 0


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
