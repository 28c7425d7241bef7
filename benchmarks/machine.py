"""What a run used of the machine: CPU seconds and memory of processes, and which core each may use."""

import contextlib
import os
import platform
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
# The process under test has this core to itself; senders, brokers and everything else share the other.
TESTED = {CORES[0]}
OTHERS = set(CORES[1:2]) or TESTED


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes with all their threads, from /proc; a process that has gone counts 0."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of proc(5)
    return total / _TICKS


def memory_bytes(pids: Iterable[int]) -> tuple[int, int]:
    """(PSS, RSS) summed. PSS shares common pages fairly, so it may be summed; RSS counts them once per process."""
    proportional = resident = 0
    for pid in pids:
        try:
            memory = psutil.Process(pid).memory_full_info()
        except psutil.Error:
            continue
        proportional += memory.pss
        resident += memory.rss
    return proportional, resident


@contextlib.contextmanager
def children_on(cores: set[int]) -> Iterator[None]:
    """Children started in the block, and all their threads, run on `cores` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def leave_tested_core() -> None:
    """Leave the first core to the part under test; what this process starts otherwise inherits that."""
    os.sched_setaffinity(0, OTHERS)


def reference_seconds() -> float:
    """CPU seconds of a fixed piece of work, the best of three: how fast the machine is at the moment."""
    found = []
    for _ in range(3):
        started = time.process_time()
        zlib.crc32(b"".join(number.to_bytes(4, "little") for number in range(1_000_000)))
        found.append(time.process_time() - started)
    return round(min(found), 3)


def describe() -> dict[str, Any]:
    """The machine as far as it explains figures, without its name."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": len(CORES),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "reference": f"{reference_seconds()} s",
    }
