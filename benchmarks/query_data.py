"""The store that bench_query.py asks: a day of the shop of telemetry.py, half of it in the last hour.

So one hour is a busy one and the day is long. It goes in by the writer's own statement, in batches as the writer makes them,
through every rollup. A second tenant holds a fifth as much, because one that is alone profits from nobody else's data being skipped.
"""

import asyncio
import functools
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass

from benchmarks import telemetry
from libs.common.bus.protocol import Record, TopicPartition
from libs.common.clickhouse import ClickHouse
from libs.common.pipeline import Batch
from services.ingestion.repository import TelemetrySink
from services.ingestion.signals import LOGS, METRICS, RECEIVED_AT_HEADER, RECORDS_HEADER, TENANT_HEADER, TRACES, Signal

HOURS = 24
HOUR = 3600 * 10**9
TENANT, OTHER_TENANT = "t1", "t2"
_METRIC_STEP = 60 * 10**9
_BLOCK = 10_000  # records of one request; four to a batch of the writer's 16 MiB
_BLOCKS_OF_BATCH = 4


@dataclass(frozen=True)
class _Job:
    """`blocks` requests of one signal, made by `make(block, start, length)`."""

    signal: Signal
    tenant: str
    blocks: int
    records: int
    make: Callable[[int, int, int], bytes]
    even: bool = False


async def load(clickhouse: ClickHouse, spans: int, logs: int) -> int:
    """Fill an empty store; returns the start of the data in unix nanoseconds. Raises SystemExit for a store of other size."""
    rows = await clickhouse.query(
        "SELECT count() AS spans, toUnixTimestamp64Nano(min(time)) AS start FROM spans WHERE tenant = {tenant:String}",
        {"tenant": TENANT},
    )
    if rows[0]["spans"] == spans:
        return int(rows[0]["start"]) // 60_000_000_000 * 60_000_000_000
    if rows[0]["spans"]:
        raise SystemExit(f"the folder holds {rows[0]['spans']} spans, not {spans}; choose another")
    start = (time.time_ns() // HOUR - HOURS) * HOUR
    jobs = [
        _Job(TRACES, TENANT, spans // _BLOCK, _BLOCK, _traces),
        _Job(TRACES, OTHER_TENANT, spans // _BLOCK // 5, _BLOCK, _traces),
        _Job(LOGS, TENANT, logs // _BLOCK, _BLOCK, _logs),
        _Job(LOGS, OTHER_TENANT, logs // _BLOCK // 5, _BLOCK, _logs),
        _Job(METRICS, TENANT, HOURS * HOUR // _METRIC_STEP, telemetry.POINTS_OF_TICK, _metrics, even=True),
    ]
    with ProcessPoolExecutor(1) as maker:
        for job in jobs:
            await _insert(TelemetrySink(clickhouse, job.signal), maker, job, start)
    while (await clickhouse.query("SELECT count() AS n FROM system.merges"))[0]["n"]:
        await asyncio.sleep(1)  # the state in which a store spends its life: merged
    return start


def _traces(block: int, start: int, length: int) -> bytes:
    requests = telemetry.shop_requests(block, _BLOCK // telemetry.SPANS_OF_TRACE, start, length)
    return b"".join(payload for payload, _ in requests)


def _logs(block: int, start: int, length: int) -> bytes:
    return telemetry.shop_logs(block, _BLOCK, start, length)


def _metrics(block: int, start: int, length: int) -> bytes:
    return telemetry.shop_metrics(block, start - block * length, length)


def _times(job: _Job, start: int) -> Iterator[tuple[int, int]]:
    """Start and length of each block: the first half over all hours but the last, the rest in that one."""
    half = job.blocks if job.even else job.blocks // 2
    length = HOURS * HOUR // half if job.even else (HOURS - 1) * HOUR // max(half, 1)
    yield from ((start + number * length, length) for number in range(half))
    length = HOUR // max(job.blocks - half, 1)
    yield from ((start + (HOURS - 1) * HOUR + number * length, length) for number in range(job.blocks - half))


async def _insert(sink: TelemetrySink, maker: Executor, job: _Job, start: int) -> None:
    loop = asyncio.get_running_loop()
    times = list(_times(job, start))
    # Other traces than the first tenant's, whose seeds are the numbers of its blocks.
    other = 0 if job.even or job.tenant == TENANT else 10**6

    def make(block: int) -> asyncio.Future[bytes]:
        return loop.run_in_executor(maker, functools.partial(job.make, block + other, *times[block]))

    ahead = [make(block) for block in range(min(_BLOCKS_OF_BATCH, job.blocks))]
    for first in range(0, job.blocks, _BLOCKS_OF_BATCH):
        payloads = await asyncio.gather(*ahead)
        following = range(first + _BLOCKS_OF_BATCH, min(first + 2 * _BLOCKS_OF_BATCH, job.blocks))
        ahead = [make(block) for block in following]
        records = [_record(job, first + number, sum(times[first + number]), p) for number, p in enumerate(payloads)]
        batch = Batch.over(TopicPartition(job.signal.topic, 0 if job.tenant == TENANT else 1), job.tenant, records)
        await sink.insert(batch, batch.token)
        done = min(first + _BLOCKS_OF_BATCH, job.blocks)
        print(f"\r{job.signal.name} of {job.tenant}: {done * job.records:,}    ", end="", file=sys.stderr)
    print(file=sys.stderr)


def _record(job: _Job, offset: int, received: int, payload: bytes) -> Record:
    headers = (
        (TENANT_HEADER, job.tenant.encode()),
        (RECEIVED_AT_HEADER, b"%d" % received),
        (RECORDS_HEADER, b"%d" % job.records),
    )
    partition = 0 if job.tenant == TENANT else 1
    return Record(job.signal.topic, partition, offset, None, payload, headers, received // 10**6)
