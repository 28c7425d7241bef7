"""What a span costs from the sender to the store, and how soon it can be found.

    python -m benchmarks.bench_ingest [--collector PATH] [--sender PATH] [--only accept,drain,fresh]

Method: CPU seconds from /proc, not elapsed time, because other work shares the machine. `accept`: the receiver alone on the first
core, sender, broker and engines on the second; answers come only when the bus has the request durably (Kafka acks=all, Redis
AOF with fsync). The OpenTelemetry Collector (otlp -> kafka, acks=all, no queue) is measured in turn with ours in the same run,
against the same broker, with the same sender. `drain`: a topic is filled first, then one writer empties it; what it stored is
merged and weighed. `fresh`: the official Python SDK exports one span; the clock runs from the call of its exporter until trace
search through the gateway returns the span.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.engines import kafka_is_at_hand
from benchmarks.ingest_accept import measure_accept
from benchmarks.ingest_drain import measure_drain
from benchmarks.ingest_fresh import measure_fresh
from benchmarks.report import RESULTS, Report

SECTIONS = {"accept": measure_accept, "drain": measure_drain, "fresh": measure_fresh}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--collector", type=Path, help="binary of the OpenTelemetry Collector to measure beside ours")
    parser.add_argument("--sender", type=Path, help="a faster sender than ours, see README")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement of `accept`")
    parser.add_argument("--spans", type=int, default=1_000_000, help="in the topic for `drain`")
    parser.add_argument("--samples", type=int, default=60, help="spans sent one by one for `fresh`")
    parser.add_argument("--rate", type=int, default=2000, help="spans a second beside them")
    parser.add_argument("--work", type=Path, help="folder for engines' data; a temporary one by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    wanted = options.only.split(",")
    shown = {
        "repeats": options.repeats, "seconds": options.seconds, "spans to drain": options.spans, "samples": options.samples,
        "rate": options.rate, "sender": "Go" if options.sender else "Python", "kafka": kafka_is_at_hand(),
        "collector": bool(options.collector),
    }  # fmt: skip
    report = Report("ingest", " ".join((__doc__ or "").split("Method: ")[1].split()), shown)
    machine.leave_tested_core()
    folder = Path(tempfile.mkdtemp(prefix="airis-bench-", dir=options.work))
    try:
        for name, measure in SECTIONS.items():
            if name in wanted:
                measure(report, options, folder)
                report.write(options.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
