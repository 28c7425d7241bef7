from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import doctor, doctor_machine, doctor_product
from cli.findings import Finding, ok, problem, warning


def levels(found: Iterator[Finding]) -> dict[str, str]:
    return {finding.name: finding.level for finding in found}


def test_pins_are_compared_where_their_markers_apply(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    lock.write_text(
        f"pytest=={version('pytest')} \\\n    --hash=sha256:00\n"
        "colorama==0.0.1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    (found,) = doctor_machine.check_dependencies(lock)
    assert (found.level, found.detail) == ("ok", "all 1 as pinned in requirements/run.lock")
    lock.write_text("pytest==0.1 \\\nno-such-package==1\n")
    (found,) = doctor_machine.check_dependencies(lock)
    assert found.level == "problem"
    assert f"pytest is {version('pytest')}, the lock says 0.1; no-such-package 1 is missing" in found.detail
    assert levels(doctor_machine.check_dependencies(tmp_path / "none.lock")) == {"dependencies": "problem"}


@pytest.mark.parametrize(("free", "level"), [(1 << 30, "problem"), (5 << 30, "warning"), (50 << 30, "ok")])
def test_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(doctor_machine.psutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(doctor_machine, "fsync_latency", lambda _: (0.001, 0.002))
    found = list(doctor_machine.check_disk(tmp_path / "not" / "made" / "yet"))
    assert [finding.level for finding in found] == [level, "ok"]
    assert bool(found[0].advice) == (level != "ok")


@pytest.mark.parametrize(("seconds", "level"), [(0.001, "ok"), (0.05, "warning"), (0.5, "problem")])
def test_slow_disks_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, level: str) -> None:
    monkeypatch.setattr(doctor_machine, "fsync_latency", lambda _: (seconds, seconds))
    assert levels(doctor_machine.check_disk(tmp_path))["fsync"] == level


def test_fsync_is_measured(tmp_path: Path) -> None:
    middle, worst = doctor_machine.fsync_latency(tmp_path, 3)
    assert 0 < middle <= worst
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("hard", "level"), [(1024, "warning"), (4096, "ok"), (-1, "ok")])
def test_open_files(monkeypatch: pytest.MonkeyPatch, hard: int, level: str) -> None:
    monkeypatch.setattr(doctor_machine.resource, "getrlimit", lambda _: (256, hard))
    assert levels(doctor_machine.check_limits()) == {"open files": level}


def test_a_jumping_clock_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter((1e9, 1e9 + 60))
    monkeypatch.setattr(doctor_machine.time, "time", lambda: next(steps, 1e9 + 60))
    monkeypatch.setattr(doctor_machine.time, "sleep", lambda _: None)
    (found,) = doctor_machine.check_clock()
    assert found.level == "problem"
    assert "jumped" in found.detail


def test_an_engine_that_the_cpu_kills_is_a_problem() -> None:
    broken = doctor_machine._runs("engine", ["/bin/sh", "-c", "kill -ILL $$"], "advice")
    assert (broken.level, broken.advice) == ("problem", "advice")
    assert doctor_machine._runs("engine", ["/does/not/exist"], "advice").level == "problem"
    assert doctor_machine._runs("engine", ["/bin/echo", "1.2.3"], "advice") == ok("engine", "1.2.3")


def test_lag_is_summed_over_topics() -> None:
    text = (
        "# HELP airis_bus_consumer_lag_records x\n"
        'airis_bus_consumer_lag_records{group="writer",topic="telemetry.traces"} 12.0\n'
        'airis_bus_consumer_lag_records{group="writer",topic="telemetry.logs"} 3.0\n'
        "airis_bus_in_flight_bytes 7.0\n"
    )
    assert doctor_product.total_lag(text) == 15.0
    assert doctor_product.total_lag("airis_bus_in_flight_bytes 7.0\n") is None


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def check_something() -> Iterator[Finding]:
        yield ok("first", "")
        raise RuntimeError("boom")

    found = list(doctor.examine([check_something, lambda: [warning("second", "a", "b")]]))
    assert [finding.name for finding in found] == ["first", "something", "second"]
    assert "boom" in found[1].detail


@pytest.mark.parametrize(
    ("found", "status"), [([ok("a", "x")], 0), ([warning("a", "x", "y")], 0), ([problem("a", "x", "y")], 1)]
)
def test_json_and_exit_status(
    found: list[Finding],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(doctor, "checks", lambda _directory, _ports: [lambda: found])
    assert doctor.run_doctor(tmp_path, None, as_json=True) == status
    shown = json.loads(capsys.readouterr().out)["findings"]
    assert shown == [{"name": "a", "level": found[0].level, "detail": "x", "advice": found[0].advice}]
    assert doctor.run_doctor(tmp_path, None, as_json=False) == status
    assert "x" in capsys.readouterr().out
