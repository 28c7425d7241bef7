"""What the whole product takes on one machine: memory idle, with the demo and under load; seconds to start; what a flood does.

    python -m benchmarks.bench_footprint [--only starts,idle,load] [--load-seconds 60]

Method: `airis up` in an empty folder, `airis down`, and `airis up` again (the warm start: installed, web UI built, data there). Memory
is PSS from /proc summed over all processes, the supervisor's included; pages that processes share are counted once. Idle is
`--idle-seconds` after the start with nobody asking; with the demo likewise. Under load our sender sends different requests over eight
connections as fast as answers come, or at `--rate`; refusals must carry Retry-After, and when it is over and the bus is empty, the
store must hold as many spans as were acknowledged. (A refused request may be in the store, as at-least-once allows.)
"""

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks import machine
from benchmarks.engines import airis, free_port_base, product
from benchmarks.report import RESULTS, Report
from benchmarks.sender import Load, Sent, send
from cli.installation import Running, running

_SPANS_OF_REQUEST = 500
_MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--load-seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0, help="spans a second; 0 as fast as answers come")
    parser.add_argument("--idle-seconds", type=float, default=120, help="from start to the look at idle memory")
    parser.add_argument("--repeats", type=int, default=3, help="warm starts")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--work", type=Path, help="folder for the data; a temporary one by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    shown = {
        "idle seconds": options.idle_seconds,
        "load seconds": options.load_seconds,
        "rate": options.rate or "as fast as answers come",
    }
    report = Report("footprint", " ".join((__doc__ or "").split("Method: ")[1].split()), shown)
    folder = Path(tempfile.mkdtemp(prefix="airis-bench-", dir=options.work))
    try:
        for name, measure in SECTIONS.items():
            if name in options.only.split(","):
                measure(report, options, folder / name)
                report.write(options.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _idle(report: Report, options: argparse.Namespace, data_dir: Path) -> None:
    rows = []
    for name, demo in (("idle", False), ("with the demo", True)):
        with product(data_dir, demo=demo):
            time.sleep(options.idle_seconds)
            rows.append(_memory(name, _present(data_dir)))
    report.add("Memory, MiB (PSS)", rows, "Target: less than 1,500 idle.")


def _starts(report: Report, options: argparse.Namespace, data_dir: Path) -> None:
    base = str(free_port_base())
    rows = []
    for number in range(options.repeats + 1):
        started = time.monotonic()
        airis("up", "--data-dir", str(data_dir), "--port-base", base, "--no-demo")
        up = time.monotonic() - started
        cpu = machine.cpu_seconds(_pids(_present(data_dir)).values())
        airis("down", "--data-dir", str(data_dir))
        down = time.monotonic() - started - up
        name = "warm" if number else "first"
        rows.append({"start": name, "up s": round(up, 1), "of CPU": round(cpu, 1), "down s": round(down, 1)})
    report.add(
        "Seconds to start and to stop",
        rows,
        "Until everything answers; `of CPU` is what the product's processes used by then, on all cores together. Target: a warm "
        "start in 15 s on a machine with nothing else to do.",
    )


def _present(data_dir: Path) -> Running:
    present = running(data_dir)
    if present is None:
        raise SystemExit("the product has stopped")
    return present


def _pids(present: Running) -> dict[str, int]:
    found = {name: process["pid"] for name, process in present.processes.items() if process["pid"]}
    return {"supervisor": present.supervisor.pid, **found}


def _memory(name: str, present: Running) -> dict[str, Any]:
    each = {process: machine.memory_bytes([pid])[0] // _MIB for process, pid in _pids(present).items()}
    return {"state": name, **each, "total": sum(each.values())}


def _load(report: Report, options: argparse.Namespace, data_dir: Path) -> None:
    with product(data_dir) as run:
        _flood(report, options, data_dir, run)


def _flood(report: Report, options: argparse.Namespace, data_dir: Path, run: dict[str, Any]) -> None:
    present = _present(data_dir)
    sent: list[Sent] = []
    load = Load(
        run["otlp_http"].removeprefix("http://"), _SPANS_OF_REQUEST, 8, options.load_seconds, 0.0,
        (), f"Bearer {run['api_key']}", rate=options.rate,
    )  # fmt: skip
    before = {name: machine.cpu_seconds([pid]) for name, pid in _pids(present).items()}
    sending = threading.Thread(target=lambda: sent.append(send(load, None)))
    sending.start()
    started = time.monotonic()
    rows = []
    while sending.is_alive():
        sending.join(timeout=max(5.0, options.load_seconds / 12))
        rows.append(_memory(f"after {time.monotonic() - started:.0f} s of load", _present(data_dir)))
    stopped = time.monotonic()
    expected = sent[0].accepted_in_all * load.spans
    found = _drained(run, expected)
    drained = time.monotonic() - stopped
    time.sleep(30)
    rows.append(_memory("drained, 30 s later", _present(data_dir)))
    report.add("Memory under load, MiB (PSS)", rows)
    used = {name: machine.cpu_seconds([pid]) - before.get(name, 0) for name, pid in _pids(_present(data_dir)).items()}
    report.add("CPU seconds under load", [{name: round(seconds, 1) for name, seconds in used.items()}])
    restarts = sum(process["restarts"] for process in _present(data_dir).processes.values())
    report.add(
        "Load",
        [
            {
                "spans acknowledged": expected,
                "a second": round(sent[0].accepted * load.spans / sent[0].seconds),
                "requests refused": sent[0].refused,
                "answers": ", ".join(f"{name}: {count}" for name, count in sorted((sent[0].statuses or {}).items())),
                "first refusal": sent[0].first_refusal,
                "s until all is queryable": round(drained, 1),
                "spans found": found,
                "restarts": restarts,
            }
        ],
        "Found must equal acknowledged, and may be more only by what was refused.",
    )
    if found < expected or (found > expected and not sent[0].refused):
        raise SystemExit(f"{expected:,} spans acknowledged, {found:,} found")


def _drained(run: dict[str, Any], expected: int) -> int:
    """Spans of the sender's service that the product counts, once they have stopped changing."""
    headers = {"Authorization": f"Bearer {run['api_key']}"}
    deadline = time.monotonic() + 900
    last, still = -1, 0
    with httpx.Client(base_url=run["gateway"], headers=headers, timeout=60) as client:
        while time.monotonic() < deadline and (last < expected or still < 3):
            found = _count(client)
            still = still + 1 if found == last else 0
            last = found
            if still > 30:
                break
            time.sleep(2)
    return last


def _count(client: httpx.Client) -> int:
    """Spans of the last day, from the heat map: it counts rows, not rollups."""
    now = time.time_ns()
    span = {"from": str(now - 24 * 3600 * 10**9), "to": str(now)}
    with contextlib.suppress(httpx.TimeoutException):
        answer = client.get("/api/v1/traces/durations", params=span)
        if answer.status_code == 200:
            return _sum(answer.json())
    return -1


def _sum(heat_map: dict[str, Any]) -> int:
    return sum(sum(row) for row in heat_map["counts"])


SECTIONS = {"starts": _starts, "idle": _idle, "load": _load}

if __name__ == "__main__":
    main()
