"""A front on a directory of its own, started as the product starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from libs.common.testing.ports import free_port
from libs.common.testing.requirements import require

ROOT = Path(__file__).parents[3]


@dataclass
class FrontProcess:
    path: Path
    port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        place = ["--port", str(self.port), "--path", str(self.path / "data")]
        return [sys.executable, "-m", "embedded.clickhouse_front", *place, *self.options]

    def full_environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}

    def start(self, seconds: float = 30.0) -> None:
        with (self.path / "front.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.full_environment(), stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/ping", timeout=1).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the front did not start:\n{self.log()}")

    def log(self) -> str:
        return (self.path / "front.log").read_text(errors="replace")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM and the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontProcess]:
    """One front for the tests that only talk to it."""
    _need_engine()
    running = FrontProcess(tmp_path_factory.mktemp("front"))
    running.start()
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture
def own_front(tmp_path: Path) -> Iterator[FrontProcess]:
    """A front that the test may kill; not started yet."""
    _need_engine()
    running = FrontProcess(tmp_path)
    yield running
    if running.process is not None and running.process.poll() is None:
        running.kill()


@pytest.fixture
def http(front: FrontProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, timeout=60) as client:
        yield client


def _need_engine() -> None:
    try:
        import chdb  # noqa: F401
    except ImportError as error:
        require("chdb", str(error))
