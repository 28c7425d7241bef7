"""The front dies and comes back: nothing it has confirmed is lost, and nothing it left behind keeps it from starting."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.embedded.conftest import FrontProcess

ROWS = 5000


class Inserter(threading.Thread):
    """Inserts batches of consecutive numbers, each with its token, and sends an unconfirmed one again until it is."""

    def __init__(self, url: str, lane: int) -> None:
        super().__init__(daemon=True)
        self._url, self._lane = url, lane
        self.confirmed: list[int] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        batch = 0
        with httpx.Client(base_url=self._url, timeout=20) as http:
            while not self.stopping.is_set():
                first = self._lane * 1_000_000_000 + batch * ROWS
                params = {
                    "query": "INSERT INTO numbers_kept (a, b) FORMAT TSV",
                    "insert_deduplication_token": f"{self._lane}-{batch}",
                    "deduplicate_blocks_in_dependent_materialized_views": "1",
                }
                body = "".join(f"{number}\tsome text\n" for number in range(first, first + ROWS)).encode()
                try:
                    answer = http.post("/", params=params, content=body)
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                assert answer.status_code == 200, answer.text
                self.confirmed.append(first)
                batch += 1


STATEMENTS = (
    "CREATE TABLE numbers_kept (a UInt64, b String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE TABLE numbers_counted (rows UInt64) ENGINE = MergeTree ORDER BY rows SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE MATERIALIZED VIEW numbers_view TO numbers_counted AS SELECT count() AS rows FROM numbers_kept",
)


@pytest.mark.parametrize("cut_off", ["numbers_kept", "numbers_counted"])
def test_a_kill_between_token_and_part_lets_the_retry_in(own_front: FrontProcess, cut_off: str) -> None:
    """The instant is too short to be hit, so what it leaves behind is made by hand: a token without its part."""
    own_front.start()
    for statement in STATEMENTS:
        assert httpx.post(own_front.url, content=statement).status_code == 200

    def insert() -> None:
        params = {
            "query": "INSERT INTO numbers_kept (a, b) FORMAT TSV",
            "insert_deduplication_token": "topic-0-0-1",
            "deduplicate_blocks_in_dependent_materialized_views": "1",
        }
        assert httpx.post(own_front.url, params=params, content=b"1\tx\n2\ty\n").status_code == 200

    def rows() -> list[str]:
        question = "SELECT (SELECT count() FROM numbers_kept), (SELECT sum(rows) FROM numbers_counted)"
        return httpx.post(own_front.url, content=question).text.split()

    insert()
    insert()
    assert rows() == ["2", "2"]
    where = f"SELECT path FROM system.parts WHERE table = '{cut_off}' AND active"
    part = Path(httpx.post(own_front.url, content=where).text.strip())
    own_front.kill()
    shutil.rmtree(own_front.path / part)
    own_front.start()
    insert()
    insert()
    assert rows() == ["2", "2"]


def test_confirmed_inserts_survive_sigkill(own_front: FrontProcess) -> None:
    own_front.start()
    for statement in STATEMENTS:
        assert httpx.post(own_front.url, content=statement).status_code == 200
    inserters = [Inserter(own_front.url, lane) for lane in range(3)]
    for inserter in inserters:
        inserter.start()
    chance = random.Random(7)
    starts = []
    for _ in range(5):
        time.sleep(chance.uniform(0.3, 1.5))
        own_front.kill()
        began = time.monotonic()
        own_front.start()
        starts.append(time.monotonic() - began)
    time.sleep(0.5)
    for inserter in inserters:
        inserter.stopping.set()
    for inserter in inserters:
        inserter.join(30)
    confirmed = sum(len(inserter.confirmed) for inserter in inserters) * ROWS
    assert confirmed > 0
    assert max(starts) < 10
    found = httpx.post(own_front.url, content="SELECT count(), uniqExact(a) FROM numbers_kept").text.split()
    assert found == [str(confirmed), str(confirmed)]
    counted = httpx.post(own_front.url, content="SELECT sum(rows) FROM numbers_counted").text.strip()
    assert counted == str(confirmed)
    assert own_front.stop() == 0, own_front.log()


def test_what_is_running_is_finished_on_sigterm(own_front: FrontProcess) -> None:
    own_front.start()
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(own_front.url, content="SELECT sleep(2)", timeout=30))
    )
    asking.start()
    time.sleep(0.5)
    assert own_front.stop() == 0, own_front.log()
    asking.join(10)
    assert [answer.status_code for answer in answers] == [200]


def test_two_fronts_cannot_share_a_directory(own_front: FrontProcess) -> None:
    own_front.start()
    second = FrontProcess(own_front.path)
    try:
        second.start(seconds=10)
    except AssertionError as error:
        assert "another process" in str(error)
    else:
        raise AssertionError("a second engine opened the same directory")
    assert httpx.post(own_front.url, content="SELECT 1").text == "1\n"


def test_a_taken_port_is_said(own_front: FrontProcess) -> None:
    own_front.start()
    other = FrontProcess(own_front.path / "other", own_front.port)
    (own_front.path / "other").mkdir()
    process = subprocess.run(
        other.command(), capture_output=True, timeout=60, check=False, env=other.full_environment()
    )
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{own_front.port}".encode() in process.stdout + process.stderr


def test_idle_front_is_small_and_quiet(own_front: FrontProcess) -> None:
    own_front.start()
    assert own_front.process is not None
    process = psutil.Process(own_front.process.pid)
    # What the engine's wheel takes by itself differs by 120 MB between versions of Python.
    at_start = process.memory_info().rss
    assert at_start < 500e6
    with httpx.Client(base_url=own_front.url, timeout=60) as http:
        http.post("/", content="CREATE TABLE load (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        for _ in range(20):
            http.post("/", content="INSERT INTO load SELECT rand64(), randomString(50) FROM numbers(200000)")
        assert (
            http.post("/", content="SELECT uniqExact(a), uniqExact(b), sum(cityHash64(b)) FROM load").status_code == 200
        )
    deadline = time.monotonic() + 30
    while (grown := process.memory_info().rss - at_start) > 100e6 and time.monotonic() < deadline:
        time.sleep(1)
    assert grown < 100e6
    before = sum(process.cpu_times()[:2])
    time.sleep(5)
    assert (sum(process.cpu_times()[:2]) - before) / 5 < 0.05
