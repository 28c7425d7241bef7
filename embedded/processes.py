"""Telling a process we started from another one that got its number later, and ending it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embedded.layout import MARKER

_PROC = Path("/proc")
MANY_FILES = 65_536


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: its number, when it started (clock ticks since boot) and the boot."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs; a zombie does not."""
        return identify(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal it if it still is the one; a process that has gone meanwhile is fine."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def allow_many_files() -> None:
    """Raise our limit of open files as far as it goes: many systems start with 1,024, and the engine alone wants more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def identify(pid: int) -> ProcessId | None:
    """The process with this number now, None when there is none."""
    try:
        # The command's name is in parentheses and may hold any character, further ones included.
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    state, started = fields[0], int(fields[19])  # fields 3 and 22 of proc(5)
    return None if state in {"Z", "X"} else ProcessId(pid, started, boot)


def belonging_to(installation: Path) -> list[ProcessId]:
    """Processes of ours that carry the installation's marker in their environment, recorded or not."""
    marker = f"{MARKER}={installation}".encode()
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # gone, or another user's
            continue
        process = identify(int(entry.name)) if marker in environment else None
        if process is not None:
            found.append(process)
    return found


def left_behind(installation: Path) -> list[ProcessId]:
    """What still runs of an installation: what its state file records, and what carries its marker.

    Both, because redis-server writes its title over its environment, and a supervisor may be killed between starting a
    process and recording it.
    """
    return list({*recorded(installation), *belonging_to(installation)})


def recorded(installation: Path) -> list[ProcessId]:
    """Processes of the state file that still run."""
    try:
        state = json.loads((installation / "state.json").read_text(encoding="utf-8"))
        boot, processes = state["supervisor"]["boot"], state["processes"].values()
        found = [ProcessId(one["pid"], one["started"], boot) for one in processes if one["pid"] and one["started"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [process for process in found if process.alive]


def end(processes: Iterable[ProcessId], patience_seconds: float) -> list[ProcessId]:
    """SIGTERM, patience, SIGKILL. Returns those that had to be killed."""
    waiting = [process for process in processes if process.alive]
    for process in waiting:
        process.send(signal.SIGTERM)
    waiting = until_gone(waiting, patience_seconds)
    for process in waiting:
        process.send(signal.SIGKILL)
    until_gone(waiting, 5.0)
    return waiting


def until_gone(processes: list[ProcessId], seconds: float) -> list[ProcessId]:
    """Wait for all of them to end; returns those that have not."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if process.alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive
