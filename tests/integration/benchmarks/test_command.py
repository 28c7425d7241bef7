"""Benchmarks run for minutes, so nobody runs them by chance; that they start is checked here."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from embedded.layout import ROOT

NAMES = sorted(file.stem.removeprefix("bench_") for file in (ROOT / "benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_it_starts(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_unknown_ones_are_named_with_those_that_exist() -> None:
    done = CliRunner().invoke(app, ["bench", "nonsense"])
    assert done.exit_code == 1
    assert "nonsense" in done.output
    assert all(name in done.output for name in NAMES)


def test_results_name_no_folder_of_a_machine() -> None:
    for file in (ROOT / "benchmarks" / "results").glob("*.*"):
        text = file.read_text(encoding="utf-8")
        assert str(Path.home()) not in text
        assert "/tmp" not in text
