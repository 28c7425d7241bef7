"""What runs of an installation, read from its state file."""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from embedded.layout import Layout, Ports
from embedded.processes import ProcessId


@dataclass(frozen=True, slots=True)
class Running:
    """A living supervisor and what it last said."""

    supervisor: ProcessId
    phase: str
    message: str
    layout: Layout
    processes: dict[str, dict[str, Any]]


def running(data_dir: Path) -> Running | None:
    """The installation that runs from `data_dir`; None when none does."""
    state = last_state(data_dir)
    if state is None:
        return None
    # A pid alone may be somebody else's by now, or that of a zombie nobody has collected.
    supervisor = ProcessId(**state["supervisor"])
    if not supervisor.alive:
        return None
    layout = Layout(data_dir, Ports.from_state(state["ports"]), state["demo"])
    return Running(supervisor, state["phase"], state["message"], layout, state["processes"])


def last_state(data_dir: Path) -> dict[str, Any] | None:
    """The state file, None before the first start."""
    file = data_dir / "state.json"
    if not file.exists():
        return None
    state: dict[str, Any] = json.loads(file.read_text())
    return state


@dataclass(frozen=True, slots=True)
class Occupied:
    """A port somebody else listens on."""

    name: str
    port: int
    holder: str


def occupied(ports: Ports) -> list[Occupied]:
    """Ports that cannot be bound on loopback, and by whom where the system tells."""
    taken = []
    for name, port in asdict(ports).items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(Occupied(name, port, _holder(port)))
    return taken


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another program"
