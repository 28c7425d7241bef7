"""Roles as processes: signals, drains and failures as an operator sees them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[4]

PROGRAM = """
import asyncio
import structlog
from libs.common.roles import run_from_command_line, run_roles

log = structlog.get_logger("role")

def factory(name, drain=0.0, fail=False, end=False, stubborn=False):
    async def role(stop):
        log.info("running", name=name)
        if fail:
            raise RuntimeError(f"{name} lost its disk")
        if end:
            return
        try:
            await stop.wait()
            await asyncio.sleep(drain)
            if stubborn:
                await asyncio.Event().wait()
            log.info("drained", name=name)
        except asyncio.CancelledError:
            log.info("cancelled", name=name)
            raise
    return role
"""


class Process:
    """A running program and its log lines."""

    def __init__(self, code: str, *arguments: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + code, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.lines: list[dict] = []

    def until(self, event: str, **fields: str) -> None:
        """Read lines until one matches."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(orjson.loads(line))
            if self.lines[-1]["event"] == event and fields.items() <= self.lines[-1].items():
                return
        pytest.fail(f"no {event!r} in {self.lines}; {self._process.stderr.read().decode()}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Exit code and standard error."""
        out, err = self._process.communicate(timeout=20)
        self.lines += [orjson.loads(line) for line in out.splitlines()]
        return self._process.returncode, err.decode()

    def events(self, event: str) -> list[str]:
        return sorted(line.get("name", line.get("role", "")) for line in self.lines if line["event"] == event)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def start() -> Iterator:
    processes: list[Process] = []

    def started(code: str, *arguments: str, **environment: str) -> Process:
        processes.append(Process(code, *arguments, **environment))
        return processes[-1]

    yield started
    for process in processes:
        process.close()


SERVICE = (
    "run_from_command_line('demo', {'api': lambda: factory('api', drain=0.2), 'worker': lambda: factory('worker')})"
)
TOGETHER = "run_roles({'one.api': factory('one', drain=0.2), 'two.api': factory('two'%s)})"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_0(start, number: signal.Signals) -> None:
    process = start(SERVICE, "api")
    process.until("running")
    process.send(number)
    code, err = process.end()
    assert (code, err) == (0, "")
    assert process.events("drained") == ["api"]
    started = next(line for line in process.lines if line["event"] == "role started")
    assert (started["service"], started["role"]) == ("demo", "api")


def test_an_unknown_role_says_which_there_are(start) -> None:
    code, err = start(SERVICE, "nonsense").end()
    assert code == 2
    assert "api" in err
    assert "worker" in err


def test_a_service_with_one_role_needs_no_argument(start) -> None:
    process = start("run_from_command_line('demo', {'api': lambda: factory('api')})")
    process.until("running")
    process.send(signal.SIGTERM)
    assert process.end()[0] == 0


def test_roles_of_one_process_stop_together(start) -> None:
    process = start(TOGETHER % "")
    process.until("running", name="one")
    process.until("running", name="two")
    process.send(signal.SIGTERM)
    assert process.end()[0] == 0
    assert process.events("drained") == ["one", "two"]
    assert {line["service"] for line in process.lines if line["event"] == "drained"} == {"one", "two"}


def test_a_role_that_fails_drains_the_others_and_exits_with_1(start) -> None:
    process = start(TOGETHER % ", fail=True")
    code, _ = process.end()
    assert code == 1
    assert process.events("drained") == ["one"]
    failed = next(line for line in process.lines if line["event"] == "role failed")
    assert failed["service"] == "two"
    assert "RuntimeError: two lost its disk" in failed["exception"]


def test_a_role_that_ends_by_itself_is_a_failure(start) -> None:
    process = start(TOGETHER % ", end=True")
    assert process.end()[0] == 1
    assert process.events("drained") == ["one"]


def test_a_drain_that_takes_too_long_is_cancelled(start) -> None:
    process = start(TOGETHER % ", stubborn=True", AIRIS_DRAIN_TIMEOUT_SECONDS="0.5")
    process.until("running", name="one")
    process.until("running", name="two")
    process.send(signal.SIGTERM)
    assert process.end()[0] == 1
    assert process.events("drained") == ["one"]
    assert process.events("cancelled") == ["two"]
    assert process.events("role did not drain in time, cancelling") == ["two.api"]


def test_a_second_signal_does_not_wait(start) -> None:
    process = start(TOGETHER % ", stubborn=True")
    process.until("running", name="one")
    process.until("running", name="two")
    process.send(signal.SIGTERM)
    process.until("drained", name="one")
    started = time.monotonic()
    process.send(signal.SIGINT)
    assert process.end()[0] == 1
    assert time.monotonic() - started < 10
    assert process.events("cancelled") == ["two"]


NEEDS_SECRET = """
from libs.common.settings import IdentitySettings
run_from_command_line('demo', {'api': lambda: IdentitySettings() and factory('api')})
"""


@pytest.mark.parametrize(
    ("code", "environment", "complaint"),
    [
        (SERVICE, {"AIRIS_LOG_LEVEL": "loud"}, "AIRIS_LOG_LEVEL"),
        (NEEDS_SECRET, {}, "AIRIS_IDENTITY_SECRET: Field required"),
    ],
)
def test_settings_that_do_not_hold_are_one_line_and_exit_2(start, code: str, environment: dict, complaint: str) -> None:
    exit_code, err = start(code, "api", **environment).end()
    assert exit_code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("demo.api cannot start, its settings are not valid:")
    assert complaint in err
