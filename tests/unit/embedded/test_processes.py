from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from embedded.layout import MARKER
from embedded.processes import ProcessId, belonging_to, end, identify, left_behind

ROOT = Path(__file__).parents[3]
PATIENT = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
MEEK = "import time; print('ready', flush=True); time.sleep(60)"


@contextmanager
def child(program: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], ProcessId]]:
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = identify(process.pid)
        assert identity is not None
        try:
            yield process, identity
        finally:
            process.kill()


def test_a_process_is_itself_until_it_ends() -> None:
    with child(MEEK) as (process, identity):
        assert identity.alive
        process.kill()
        deadline = time.monotonic() + 5
        while identity.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not identity.alive, "a zombie is not alive"
    assert identify(process.pid) is None


def test_a_number_that_was_given_again_is_somebody_else() -> None:
    with child(MEEK) as (process, identity):
        earlier = replace(identity, started=identity.started - 1)
        assert not earlier.alive
        assert not replace(identity, boot="another").alive
        earlier.send(signal.SIGKILL)
        assert end([earlier], 0.1) == []
        time.sleep(0.05)
        assert process.poll() is None


def test_ending_is_gentle_first() -> None:
    with child(MEEK) as (meek, first), child(PATIENT) as (patient, second):
        assert end([first, second], 0.3) == [second]
        assert (meek.wait(5), patient.wait(5)) == (-signal.SIGTERM, -signal.SIGKILL)


def test_processes_are_found_by_their_installation(tmp_path: Path) -> None:
    with child(MEEK, **{MARKER: str(tmp_path)}) as (_, mine), child(MEEK, **{MARKER: f"{tmp_path}2"}):
        assert belonging_to(tmp_path) == [mine]
    assert belonging_to(tmp_path) == []


def test_the_limit_of_open_files_is_raised_for_us_and_our_children() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 2000));"
        "from embedded.processes import allow_many_files; allow_many_files(); allow_many_files();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "(2000, 2000)"


def test_processes_are_found_by_the_record_when_their_marker_is_gone(tmp_path: Path) -> None:
    with child(MEEK) as (_, recorded), child(MEEK, **{MARKER: str(tmp_path)}) as (_, marked):
        state = {
            "supervisor": {"pid": 1, "started": 1, "boot": recorded.boot},
            "processes": {
                "redis": {"pid": recorded.pid, "started": recorded.started},
                "writer": {"pid": marked.pid, "started": marked.started - 1},
                "demo": {"pid": None, "started": None},
            },
        }
        (tmp_path / "state.json").write_text(json.dumps(state))
        assert set(left_behind(tmp_path)) == {recorded, marked}
        (tmp_path / "state.json").write_text("{half a file")
        assert left_behind(tmp_path) == [marked]
