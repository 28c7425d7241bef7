"""A small sample of what benchmarks/bench_faults.py runs 200 of, and with each guard taken out."""

import pytest

from libs.common.testing.pipeline_simulation import simulate
from libs.common.testing.virtual_time import run_virtual


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    report = run_virtual(simulate(seed))
    assert report.problems == []
    assert report.acknowledged > 0


def test_a_seed_is_a_history() -> None:
    assert run_virtual(simulate(1000)) == run_virtual(simulate(1000))
