"""Spans accepted per CPU second of the receiver, beside the collector's."""

import argparse
import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.engines import Collector, Stack, kafka_broker, kafka_is_at_hand, stack, version_of
from benchmarks.report import Report, spread
from benchmarks.sender import Load, Sent, send
from libs.common.bus import ensure_topics, load_declarations

_CONNECTIONS = 32
_WARM_SECONDS = 2.0
_BACKLOG_BYTES = 8 * 1024**3


@dataclass(frozen=True)
class Shape:
    """Requests of so many spans over one protocol. `varied`: each different, by our own sender."""

    spans: int
    grpc: bool = False
    varied: bool = False

    @property
    def name(self) -> str:
        return f"{'gRPC' if self.grpc else 'HTTP'}, {self.spans} spans{', each different' if self.varied else ''}"


SHAPES = (
    Shape(1000), Shape(512), Shape(100), Shape(10), Shape(1000, varied=True), Shape(10, varied=True),
    Shape(1000, grpc=True), Shape(100, grpc=True), Shape(10, grpc=True),
)  # fmt: skip


def measure_accept(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """On Kafka beside the collector when both are at hand; then on Redis Streams."""
    if kafka_is_at_hand():
        with kafka_broker(folder) as kafka, stack(folder / "on-kafka", "redis", "clickhouse", kafka=kafka) as ours:
            ours.start("receiver", tested=True)
            with contextlib.ExitStack() as rest:
                peer = None
                if options.collector is not None:
                    peer = Collector(options.collector, folder, kafka, "snappy")
                    rest.callback(peer.close)
                rows = [_compared(shape, options, ours, peer) for shape in _shapes(options)]
        version = f" Collector {version_of(options.collector)}." if options.collector else ""
        report.add(
            "Accepted spans per CPU second of the receiver, Kafka (acks=all, snappy)",
            rows,
            f"Median of {options.repeats}, in brackets least and most. Ratio: median of the ratios of neighbouring measurements.{version}",
        )
    with stack(folder / "on-redis", "redis", "clickhouse") as ours:
        ours.start("receiver", tested=True, environment={"AIRIS_BUS_MAX_BACKLOG_BYTES": str(_BACKLOG_BYTES)})
        rows = []
        for shape in _shapes(options):
            rows.append(_compared(shape, options, ours, None))
            _empty(ours)
    report.add("Accepted spans per CPU second of the receiver, Redis Streams (AOF, fsync always)", rows)


def _empty(ours: Stack) -> None:
    """Nobody reads the bus here; Redis must not run into its limit."""
    with Redis.from_url(ours.bus.url) as client:
        client.flushall()
    asyncio.run(ensure_topics(ours.bus, load_declarations()))


def _shapes(options: argparse.Namespace) -> list[Shape]:
    # Our own sender always sends different requests.
    return [shape for shape in SHAPES if options.sender is not None or not shape.varied]


def _compared(shape: Shape, options: argparse.Namespace, ours: Stack, peer: Collector | None) -> dict[str, object]:
    ports = ours.layout.ports
    our_runs: list[Sent] = []
    peer_runs: list[Sent] = []
    for _ in range(options.repeats):
        our_runs.append(
            _run(shape, options, ports.otlp_grpc if shape.grpc else ports.otlp_http, ours.pid("receiver"), ours)
        )
        if peer is not None:
            peer_runs.append(_run(shape, options, peer.grpc if shape.grpc else peer.http, peer.pid, None))
    row: dict[str, object] = {"requests": shape.name, "spans per CPU s": _figure(shape, our_runs)}
    row["receiver busy %"] = round(100 * sum(r.cpu_seconds for r in our_runs) / sum(r.seconds for r in our_runs))
    row["refused"] = sum(run.refused for run in our_runs)
    if peer_runs:
        row["collector"] = _figure(shape, peer_runs)
        row["collector busy %"] = round(100 * sum(r.cpu_seconds for r in peer_runs) / sum(r.seconds for r in peer_runs))
        ratios = [
            one.spans_per_cpu_second(shape.spans) / other.spans_per_cpu_second(shape.spans)
            for one, other in zip(our_runs, peer_runs, strict=True)
        ]
        row["ratio"] = spread(ratios)["median"]
    print(row, flush=True)
    return row


def _run(shape: Shape, options: argparse.Namespace, port: int, pid: int, ours: Stack | None) -> Sent:
    load = Load(
        f"127.0.0.1:{port}", shape.spans, _CONNECTIONS, options.seconds, _WARM_SECONDS, (pid,),
        ours.authorization if ours else "", shape.grpc,
    )  # fmt: skip
    return send(load, None if shape.varied else options.sender)


def _figure(shape: Shape, runs: list[Sent]) -> str:
    found = spread(run.spans_per_cpu_second(shape.spans) for run in runs)
    return f"{found['median']:,} ({found['least']:,} to {found['most']:,})"
