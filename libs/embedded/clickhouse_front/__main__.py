"""Run the front: `python -m libs.embedded.clickhouse_front --host 127.0.0.1 --port 8123 --path DIR`.

The user's name and password come from AIRIS_CLICKHOUSE_USER and AIRIS_CLICKHOUSE_PASSWORD, because a command line is no
place for a secret.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import sys
from pathlib import Path

from libs.common.clock import SystemClock
from libs.common.roles import run_roles
from libs.common.settings import ClickHouseSettings, InvalidSettings
from libs.common.web.server import serve
from libs.embedded.clickhouse_front.app import Front
from libs.embedded.clickhouse_front.bodies import Budget
from libs.embedded.clickhouse_front.configuration import MIB, default_memory_bytes, write_configuration
from libs.embedded.clickhouse_front.engine import Engine
from libs.embedded.clickhouse_front.exchange import Limits, Machine
from libs.embedded.clickhouse_front.lanes import Lane
from libs.embedded.clickhouse_front.requests import Credentials
from libs.embedded.clickhouse_front.sessions import Sessions

QUEUE = 256
WRITE_LANES = 2


def main() -> None:
    arguments = _arguments()
    try:
        settings = ClickHouseSettings()
    except InvalidSettings as error:
        sys.exit(f"clickhouse_front: {error}")
    user = Credentials(settings.user, settings.password.get_secret_value())
    if not user.password and not _is_loopback(arguments.host):
        sys.exit(f"clickhouse_front: set AIRIS_CLICKHOUSE_PASSWORD before listening on {arguments.host}")

    async def role(stop: asyncio.Event) -> None:
        await _serve(arguments, user, stop)

    run_roles({"embedded.clickhouse": role})


async def _serve(arguments: argparse.Namespace, user: Credentials, stop: asyncio.Event) -> None:
    path, engine = await asyncio.to_thread(_open_engine, arguments)
    clock = SystemClock()
    reads, writes = Lane("read", arguments.connections, QUEUE), Lane("write", WRITE_LANES, QUEUE)
    machine = Machine(
        engine=engine,
        sessions=Sessions(engine, clock),
        reads=reads,
        writes=writes,
        control=Lane("control", 2, QUEUE),
        budget=Budget(2 * arguments.max_body),
        limits=Limits(arguments.max_body),
        spill=str(path / "tmp"),
    )
    try:
        await serve(Front(machine, user, clock), arguments.host, arguments.port, stop)
    finally:
        machine.sessions.close()
        for lane in (reads, writes, machine.control):
            lane.close()
        await asyncio.to_thread(engine.close)


def _open_engine(arguments: argparse.Namespace) -> tuple[Path, Engine]:
    path = Path(arguments.path).resolve()
    configuration = write_configuration(path, arguments.max_memory or default_memory_bytes())
    (path / "tmp").mkdir(exist_ok=True)
    return path, Engine(str(path), str(configuration))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m libs.embedded.clickhouse_front", description="ClickHouse's HTTP interface over chDB"
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
