from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.private_files import make_private

OPEN = stat.S_IRWXG | stat.S_IRWXO


def modes(directory: Path) -> dict[str, str]:
    entries = [directory, *directory.rglob("*")]
    return {str(entry.relative_to(directory)): oct(stat.S_IMODE(entry.lstat().st_mode)) for entry in entries}


def test_everything_below_is_taken_from_others_and_kept_for_the_owner(tmp_path: Path) -> None:
    store = tmp_path / "data" / "store" / "a"
    store.mkdir(parents=True)
    (store / "data.bin").write_text("rows")
    (store / "run.sh").write_text("echo")
    (store / "run.sh").chmod(0o755)
    for folder in (tmp_path / "data", tmp_path / "data" / "store", store):
        folder.chmod(0o755)
    (store / "data.bin").chmod(0o644)
    (tmp_path / "data").chmod(0o755)
    assert make_private(tmp_path / "data") == 5
    assert modes(tmp_path / "data") == {
        ".": "0o700", "store": "0o700", "store/a": "0o700", "store/a/data.bin": "0o600", "store/a/run.sh": "0o700",
    }  # fmt: skip
    assert make_private(tmp_path / "data") == 0


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "file").write_text("")
    (outside / "file").chmod(0o644)
    outside.chmod(0o755)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "file")
    make_private(inside)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert stat.S_IMODE((outside / "file").stat().st_mode) == 0o644


def test_a_directory_that_is_not_there_is_made_private(tmp_path: Path) -> None:
    make_private(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize("usual", ["022", "000"])
def test_what_is_made_later_is_private_whatever_the_shell_says(tmp_path: Path, usual: str) -> None:
    program = (
        "import os, pathlib, subprocess; from embedded.private_files import keep_private; keep_private();"
        "pathlib.Path('folder').mkdir(); subprocess.run(['sh', '-c', 'echo x > folder/file'], check=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    shell = ["sh", "-c", f'umask {usual}; exec "$0" -c "$1"', sys.executable, program]
    subprocess.run(shell, cwd=tmp_path, env=environment, check=True, timeout=60)
    made = modes(tmp_path / "folder")
    assert made == {".": "0o700", "file": "0o600"}
    assert not [name for name, mode in made.items() if int(mode, 8) & OPEN]
