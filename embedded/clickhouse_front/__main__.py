"""Run the front: `python -m embedded.clickhouse_front --host 127.0.0.1 --port 8123 --path DIR`.

The operator's name and password come from AIRIS_CLICKHOUSE_USER and AIRIS_CLICKHOUSE_PASSWORD, because a command line is no
place for a secret; the passwords of the services' accounts as schema/clickhouse/accounts.xml says.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import ipaddress
import os
import sys
from pathlib import Path

import structlog

from embedded.clickhouse_front.accounts import Accounts, declared, operator
from embedded.clickhouse_front.app import Front
from embedded.clickhouse_front.bodies import Budget
from embedded.clickhouse_front.configuration import MIB, default_memory_bytes, write_configuration
from embedded.clickhouse_front.deduplication import forget_lost_parts
from embedded.clickhouse_front.engine import Engine
from embedded.clickhouse_front.exchange import Limits, Machine
from embedded.clickhouse_front.guard import Guard
from embedded.clickhouse_front.lanes import Lane
from embedded.clickhouse_front.sessions import Sessions
from embedded.private_files import keep_private
from embedded.processes import allow_many_files
from libs.common.clock import SystemClock
from libs.common.roles import run_roles
from libs.common.settings import ClickHouseSettings, InvalidSettings
from libs.common.web.server import GRACEFUL_SECONDS, serve

log = structlog.get_logger(__name__)

QUEUE = 256
WRITE_LANES = 2
# Statements, settings and parameters may come in the URL; ClickHouse itself takes one of 1 MiB.
MAX_HEAD_BYTES = MIB + 128 * 1024


def main() -> None:
    arguments = _arguments()
    allow_many_files()
    keep_private()
    try:
        settings = ClickHouseSettings()
        password = settings.password.get_secret_value()
        accounts = Accounts([*declared(os.environ), operator(settings.user, password)])
    except (InvalidSettings, ValueError) as error:
        sys.exit(f"clickhouse_front: {error}")
    if not password and not _is_loopback(arguments.host):
        sys.exit(f"clickhouse_front: set AIRIS_CLICKHOUSE_PASSWORD before listening on {arguments.host}")

    async def role(stop: asyncio.Event) -> None:
        await _serve(arguments, accounts, stop)

    run_roles({"embedded.clickhouse": role})


async def _serve(arguments: argparse.Namespace, accounts: Accounts, stop: asyncio.Event) -> None:
    path, engine = await asyncio.to_thread(_open_engine, arguments)
    clock = SystemClock()
    reads, writes = Lane("read", arguments.connections, QUEUE), Lane("write", WRITE_LANES, QUEUE)
    machine = Machine(
        engine=engine,
        guard=Guard(engine),
        sessions=Sessions(engine, clock),
        reads=reads,
        writes=writes,
        control=Lane("control", 2, QUEUE),
        budget=Budget(2 * arguments.max_body),
        limits=Limits(arguments.max_body),
        spill=str(path / "tmp"),
    )
    last_resort = asyncio.create_task(_exit_late(stop), name="last-resort")
    try:
        await serve(
            Front(machine, accounts, clock), arguments.host, arguments.port, stop, max_head_bytes=MAX_HEAD_BYTES
        )
    finally:
        last_resort.cancel()
        machine.sessions.close()
        for lane in (reads, writes, machine.control):
            lane.close()
        await asyncio.to_thread(engine.close)


class EngineUnavailable(Exception):
    """The data directory cannot be opened; the message says why."""


async def _exit_late(stop: asyncio.Event) -> None:
    """Leave even when a statement can be neither finished nor killed; its thread would keep the process for ever.

    Nothing is lost by it: an insert that was not answered yet may be missing, as after any crash.
    """
    await stop.wait()
    await asyncio.sleep(GRACEFUL_SECONDS + 3)
    log.error("a statement cannot be stopped, leaving without it")
    os._exit(1)


def _open_engine(arguments: argparse.Namespace) -> tuple[Path, Engine]:
    path = Path(arguments.path).resolve()
    configuration = write_configuration(path, arguments.max_memory or default_memory_bytes())
    (path / "tmp").mkdir(exist_ok=True)
    lock = os.open(path / "front.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel drops it with the process, however that ends
    except OSError as error:
        os.close(lock)
        raise EngineUnavailable(f"another process has {path} open; stop it first") from error
    if forgotten := forget_lost_parts(path):
        log.warning("a kill came between noting an insert and keeping it; its retry is let in", inserts=forgotten)
    # The engine keeps compiled schemas in __cache__ below where it stands, whatever format_schema_path says.
    os.chdir(path)
    try:
        return path, Engine(str(path), str(configuration))
    except RuntimeError as error:
        raise EngineUnavailable(f"the engine cannot open {path}: {error}") from error


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m embedded.clickhouse_front", description="ClickHouse's HTTP interface over chDB"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--path", required=True, help="directory of the data")
    parser.add_argument(
        "--max-memory", type=int, default=0, help="bytes the engine may use (default: a quarter of the machine)"
    )
    parser.add_argument("--max-body", type=int, default=256 * MIB, help="bytes of one decoded request body")
    parser.add_argument("--connections", type=int, default=max(4, 2 * (os.cpu_count() or 1)), help="reads at a time")
    return parser.parse_args()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
