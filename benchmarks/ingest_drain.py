"""Spans per CPU second from topic to queryable, and what they take on disk."""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks import machine, telemetry
from benchmarks.engines import Stack, kafka_broker, kafka_is_at_hand, stack
from benchmarks.report import Report, spread, tidy
from libs.common.bus import open_producer
from libs.common.clickhouse import ClickHouse, open_clickhouse
from libs.common.clock import SystemClock
from services.ingestion.signals import RECEIVED_AT_HEADER, RECORDS_HEADER, TENANT_HEADER, TRACES

_SHAPES = (1000, 100)
_PATIENCE_SECONDS = 600
_DATABASE = "airis"


def measure_drain(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """Fill a topic, let a writer empty it; on Redis Streams and, when at hand, on Kafka."""
    rows: list[dict[str, Any]] = []
    with stack(folder / "drain-redis", "redis", "clickhouse") as parts:
        rows += [_drained(parts, options, spans, "Redis Streams") for spans in _SHAPES]
        _report_sizes(report, parts)
    if kafka_is_at_hand():
        with (
            kafka_broker(folder) as kafka,
            stack(folder / "drain-kafka", "redis", "clickhouse", kafka=kafka) as parts,
        ):
            rows += [_drained(parts, options, spans, "Kafka, 24 partitions") for spans in _SHAPES]
    report.add(
        "Spans per CPU second from topic to queryable",
        rows,
        "Writer and engine together, rollups and merges that ran meanwhile included. "
        "`bytes per span` is the payload's size before compression.",
    )


def _drained(parts: Stack, options: argparse.Namespace, spans: int, bus: str) -> dict[str, Any]:
    figures: list[float] = []
    shares: list[float] = []
    elapsed: list[float] = []
    each = 0.0
    for repeat in range(options.repeats):
        total, size = asyncio.run(_fill(parts, spans, options.spans, seed=repeat * 10_000_000 + spans))
        each = size / total
        wanted = asyncio.run(_count(parts)) + total
        writer = parts.start("writer", tested=True)
        pids = (writer, parts.pid("clickhouse"))
        before = [machine.cpu_seconds([pid]) for pid in pids]
        started = time.monotonic()
        asyncio.run(_until(parts, wanted))
        elapsed.append(time.monotonic() - started)
        used = [machine.cpu_seconds([pid]) - then for pid, then in zip(pids, before, strict=True)]
        figures.append(total / sum(used))
        shares.append(100 * used[0] / sum(used))
        parts.stop("writer")
        if (found := asyncio.run(_count(parts))) != wanted:
            raise SystemExit(f"{found:,} spans in the store, {wanted:,} were sent")
    figure = spread(figures)
    return {
        "bus": bus,
        "spans per record": spans,
        "bytes per span": round(each),
        "spans per CPU s": f"{figure['median']:,} ({figure['least']:,} to {figure['most']:,})",
        "of it the writer %": round(sum(shares) / len(shares)),
        "elapsed s": spread(elapsed)["median"],
    }


async def _fill(parts: Stack, spans: int, wanted: int, seed: int) -> tuple[int, int]:
    """At least `wanted` spans in records as the receiver puts them there. Returns their number and their bytes."""
    clock = SystemClock()
    size = total = 0
    async with open_producer(parts.bus, clock) as producer:
        while total < wanted:
            # Ten pods' worth of a few seconds: each request holds about `spans`.
            start = time.time_ns() - 60 * 10**9
            requests = telemetry.shop_requests(seed, telemetry.PODS * spans, start, 50 * 10**9)
            seed += 1
            received = b"%d" % clock.now_ns()
            await asyncio.gather(
                *(
                    producer.send(
                        TRACES.topic,
                        payload,
                        headers=(
                            (TENANT_HEADER, b"default"),
                            (RECEIVED_AT_HEADER, received),
                            (RECORDS_HEADER, b"%d" % count),
                        ),
                    )
                    for payload, count in requests
                )
            )
            total += sum(count for _, count in requests)
            size += sum(len(payload) for payload, _ in requests)
    return total, size


async def _count(parts: Stack) -> int:
    async with open_clickhouse(parts.store) as clickhouse:
        return await _rows(clickhouse)


async def _rows(clickhouse: ClickHouse) -> int:
    found = await clickhouse.query("SELECT count() AS n FROM spans")
    return int(found[0]["n"])


async def _until(parts: Stack, wanted: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    async with open_clickhouse(parts.store) as clickhouse:
        while await _rows(clickhouse) < wanted:
            if time.monotonic() > deadline:
                raise SystemExit(f"not drained after {_PATIENCE_SECONDS} s")
            await asyncio.sleep(1.0)  # each count costs the engine some milliseconds


def _report_sizes(report: Report, parts: Stack) -> None:
    tables, columns = asyncio.run(_sizes(parts))
    report.add(
        "Bytes per span on disk, merged",
        tables,
        "Below `spans`: what the materialised views made of them. Real attribute values repeat more "
        "than ours: a path, a client address and two random ids per span do not compress.",
    )
    report.add("Where the bytes of `spans` are", columns)


async def _sizes(parts: Stack) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with open_clickhouse(parts.store) as clickhouse:
        tables = [
            row["name"]
            for row in await clickhouse.query(
                f"SELECT DISTINCT table AS name FROM system.parts WHERE active AND database = '{_DATABASE}' AND rows > 0"
            )
        ]
        for table in tables:
            await clickhouse.command(f"OPTIMIZE TABLE {table} FINAL", timeout=300)
        spans = await _rows(clickhouse)
        found = await clickhouse.query(
            "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, sum(data_uncompressed_bytes) AS raw, "
            "sum(data_compressed_bytes) AS packed FROM system.parts "
            f"WHERE active AND database = '{_DATABASE}' GROUP BY table ORDER BY bytes DESC"
        )
        telemetry_tables = {"spans", "trace_index", "span_attribute_values", "red_1m", "red_1h", "resources"}
        shown = [
            {
                "table": row["table"],
                "rows": row["rows"],
                "bytes per span": tidy(row["bytes"] / spans),
                "packed to 1/x": tidy(row["raw"] / row["packed"]) if row["packed"] else None,
            }
            for row in found
            if row["table"] in telemetry_tables
        ]
        total = sum(row["bytes"] for row in found if row["table"] in telemetry_tables)
        shown.append({"table": "all", "rows": None, "bytes per span": tidy(total / spans), "packed to 1/x": None})
        by_column = await clickhouse.query(
            "SELECT column, sum(column_data_compressed_bytes) AS packed, sum(column_data_uncompressed_bytes) AS raw "
            f"FROM system.parts_columns WHERE active AND database = '{_DATABASE}' AND table = 'spans' "
            "GROUP BY column ORDER BY packed DESC LIMIT 10"
        )
        columns = [
            {
                "column": row["column"],
                "bytes per span": tidy(row["packed"] / spans),
                "packed to 1/x": tidy(row["raw"] / row["packed"]) if row["packed"] else None,
            }
            for row in by_column
        ]
    return shown, columns
