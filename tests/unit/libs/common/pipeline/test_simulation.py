"""A small sample of what benchmarks/bench_faults.py runs 200 of; and that it finds what it is for."""

from collections.abc import Callable

import pytest

from libs.common.pipeline.batch import Batch
from libs.common.pipeline.pacing import Coverage
from libs.common.testing import pipeline_simulation
from libs.common.testing.fake_store import FakeSink
from libs.common.testing.pipeline_simulation import simulate
from libs.common.testing.virtual_time import run_virtual


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    report = run_virtual(simulate(seed))
    assert report.problems == []
    assert report.acknowledged > 0


def test_a_seed_is_a_history() -> None:
    assert run_virtual(simulate(1000)) == run_virtual(simulate(1000))


async def _lagging(sink: FakeSink, batch: Batch) -> dict[int, int]:
    return await sink.store.stored_rows(batch, lag=30.0)


def _without_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "token", property(lambda b: f"{b.partition.partition}-{b.first}-{b.last}"))


def _without_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Coverage, "remembers", lambda coverage, age: True)


def _with_reads_of_one_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSink, "stored_rows", _lagging)


@pytest.mark.parametrize(
    ("guard", "seeds"),
    [(_without_life, (6, 2)), (_without_coverage, (6, 2)), (_with_reads_of_one_replica, (0, 1))],
)
def test_without_a_guard_it_fails(
    monkeypatch: pytest.MonkeyPatch, guard: Callable[[pytest.MonkeyPatch], None], seeds: tuple[int, ...]
) -> None:
    guard(monkeypatch)
    monkeypatch.setattr(pipeline_simulation, "PATIENCE_SECONDS", 100.0)
    assert any(run_virtual(simulate(seed)).problems for seed in seeds)
