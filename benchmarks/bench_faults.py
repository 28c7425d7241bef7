"""Histories of a pipeline in which everything fails: nothing acknowledged is lost or doubled.

    python -m benchmarks.bench_faults [--runs 200] [--first 0]

Method: each seed draws partitions, kind of store, windows and shares of faults, then some thirty steps: writers start, stop and are
killed wherever they are, bus and store go away, one partition's answers are lost for longer than the store remembers, a topic is
deleted and made again; inserts outlive their sender, reads time out or cost too much, statements need too much memory. In the end every record
acknowledged in the topic's last life is in the table once and in the rollup once. In virtual time, on bus and store in memory
(libs/common/testing/pipeline_simulation.py). The guards' rows are the same seeds with one guard taken out: they must fail.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from benchmarks.report import RESULTS, Report
from libs.common.pipeline.batch import Batch
from libs.common.pipeline.pacing import Coverage
from libs.common.testing.fake_store import FakeSink
from libs.common.testing.pipeline_simulation import simulate
from libs.common.testing.virtual_time import run_virtual


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--guard-runs", type=int, default=20, help="seeds to run without each guard")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seeds = range(options.first, options.first + options.runs)
    report = Report("faults", " ".join((__doc__ or "").split("Method: ")[1].split()), {"first seed": options.first})
    rows = [_row("as it is", seeds)]
    print(rows[0])
    for name, guard in _GUARDS.items():
        with guard():
            rows.append(_row(name, seeds[: options.guard_runs]))
        print(rows[-1])
    report.add(
        "Histories with faults",
        rows,
        "`short`: records in the table and not in the rollup, the cost that ADR 0014 names.",
    )
    report.write(options.out)
    if rows[0]["failed"]:
        raise SystemExit(f"{rows[0]['failed']} histories lost or doubled something")


def _row(name: str, seeds: range) -> dict[str, Any]:
    reports = {seed: run_virtual(simulate(seed)) for seed in seeds}
    failed = [seed for seed, report in reports.items() if report.problems]
    for seed in failed:
        print(name, seed, reports[seed].problems[:3])
    return {
        "pipeline": name,
        "runs": len(reports),
        "failed": len(failed),
        "records acknowledged": sum(report.acknowledged for report in reports.values()),
        "writers ended": sum(report.deaths for report in reports.values()),
        "topics made again": sum(report.lives - 1 for report in reports.values()),
        "counts": sum(report.counted for report in reports.values()),
        "short": sum(report.short for report in reports.values()),
    }


@contextmanager
def _replaced(owner: type, name: str, value: object) -> Iterator[None]:
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


async def _lagging(sink: FakeSink, batch: Batch) -> dict[int, int]:
    return await sink.store.stored_rows(batch, lag=30.0)


_GUARDS: dict[str, Callable[[], Any]] = {
    "tokens without the topic's life": lambda: _replaced(
        Batch, "token", property(lambda batch: f"{batch.partition.partition}-{batch.first}-{batch.last}")
    ),
    "every token taken for remembered": lambda: _replaced(Coverage, "remembers", lambda _coverage, _age: True),
    "counts from one replica, 30 s behind": lambda: _replaced(FakeSink, "stored_rows", _lagging),
}


if __name__ == "__main__":
    main()
