"""Latency of every kind of question, through the service, on millions of spans.

    python -m benchmarks.bench_query [--data DIR] [--spans 5000000] [--logs 5000000] [--runs 15] [--only WORDS]

Method: the engine is `make up`'s (chDB behind its HTTP front, a process of its own); the service runs in this process and is
asked through its whole stack without a socket of its own, as one tenant of two. Each question is asked once with the
engine's caches dropped (cold; the kernel's page cache stays), then `--runs` times with the result cache off, every run ending its
range a microsecond earlier so that no two are the same (median, p95), then as often unchanged with the cache on (cached).
`rows` and `MB` are what the engine says it read for the cold one. The data is made by telemetry.py and loaded by the writer's own
statement with all rollups: half of it lies in the last hour, the rest in the 23 before.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import structlog
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from benchmarks import query_data
from benchmarks.engines import Stack
from benchmarks.query_questions import Question, questions
from benchmarks.report import RESULTS, Report, percentile, tidy
from embedded.layout import ROOT
from libs.common.auth.identity import IDENTITY_HEADER, Identity, sign_identity
from libs.common.clickhouse import ClickHouse, open_clickhouse
from libs.common.clickhouse.migrations import migrate
from libs.common.clock import SystemClock
from libs.common.settings import ClickHouseSettings, IdentitySettings, RedisSettings
from services.analytics.app import create_app
from services.analytics.settings import AnalyticsSettings, Settings

_SECRET = SecretStr("benchmark secret of 32 bytes or more")
_CACHES = ("MARK CACHE", "UNCOMPRESSED CACHE", "QUERY CONDITION CACHE", "INDEX MARK CACHE", "INDEX UNCOMPRESSED CACHE")
_READ = "SELECT event, value FROM system.events WHERE event IN ('SelectedRows', 'SelectedBytes')"


class Asker:
    """Asks analytics as a tenant, with the result cache or without."""

    def __init__(self, plain: httpx.AsyncClient, cached: httpx.AsyncClient, clickhouse: ClickHouse, end: int) -> None:
        self._plain = plain
        self._cached = cached
        self._clickhouse = clickhouse
        self._end = end
        self._clock = SystemClock()

    async def measure(self, question: Question, runs: int) -> dict[str, Any]:
        """One row of the report."""
        for cache in _CACHES:
            with contextlib.suppress(Exception):  # not every version of the engine has each of them
                await self._clickhouse.command(f"SYSTEM DROP {cache}")
        parameters = await self._parameters(question, 0)
        before = await self._read()
        cold, size = await self._ask(self._plain, question, parameters)
        after = await self._read()
        warm = [
            (await self._ask(self._plain, question, await self._parameters(question, run + 1)))[0]
            for run in range(runs)
        ]
        await self._ask(self._cached, question, parameters)
        cached = [(await self._ask(self._cached, question, parameters))[0] for _ in range(runs)]
        return {
            "question": question.name,
            "hours": int(question.hours) or None,
            "cold ms": tidy(cold),
            "median ms": tidy(statistics.median(warm)),
            "p95 ms": tidy(percentile(warm, 0.95)),
            "cached ms": tidy(statistics.median(cached)),
            "rows": after["SelectedRows"] - before["SelectedRows"],
            "MB": tidy((after["SelectedBytes"] - before["SelectedBytes"]) / 1e6),
            "answer bytes": size,
        }

    async def _read(self) -> dict[str, int]:
        return {row["event"]: int(row["value"]) for row in await self._clickhouse.query(_READ)}

    async def _parameters(self, question: Question, run: int) -> dict[str, Any]:
        until = self._end - run * 1000
        parameters = dict(question.parameters)
        if question.hours:
            parameters |= {"from": str(until - int(question.hours * query_data.HOUR)), "to": str(until)}
        if question.next_page:
            first = await self._get(self._plain, question, parameters)
            parameters["cursor"] = first.json()["next_cursor"]
        return parameters

    async def _ask(
        self, client: httpx.AsyncClient, question: Question, parameters: dict[str, Any]
    ) -> tuple[float, int]:
        """Milliseconds and the answer's size."""
        started = time.perf_counter()
        response = await self._get(client, question, parameters)
        return (time.perf_counter() - started) * 1000, len(response.content)

    async def _get(self, client: httpx.AsyncClient, question: Question, parameters: dict[str, Any]) -> httpx.Response:
        identity = Identity("user:bench", query_data.TENANT, frozenset(), frozenset({"read"}))
        headers = {IDENTITY_HEADER: sign_identity(identity, _SECRET, self._clock, audience="analytics")}
        response = await client.get(f"/api/v1/{question.path}", params=parameters, headers=headers)
        if response.status_code != 200:
            raise SystemExit(f"{question.name}: {response.status_code} {response.text}")
        return response


@contextlib.asynccontextmanager
async def _service(
    clickhouse: ClickHouseSettings, redis_url: str, cached_bytes: int
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        identity=IdentitySettings(secret=_SECRET),
        analytics=AnalyticsSettings(max_cached_bytes=cached_bytes),
        clickhouse=clickhouse,
        redis=RedisSettings(url=redis_url),
    )
    async with LifespanManager(create_app(settings), startup_timeout=30) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://analytics", timeout=60) as client:
            yield client


async def _run(options: argparse.Namespace, report: Report, parts: Stack) -> None:
    async with open_clickhouse(parts.store, database="") as admin:
        await migrate(admin, ROOT / "schema" / "clickhouse" / "migrations", report=lambda _: None)
    redis_url = parts.environment["AIRIS_REDIS_URL"]
    async with contextlib.AsyncExitStack() as open_parts:
        clickhouse = await open_parts.enter_async_context(open_clickhouse(parts.store))
        started = time.monotonic()
        start = await query_data.load(clickhouse, options.spans, options.logs)
        print(f"loaded in {time.monotonic() - started:.0f} s", file=sys.stderr)
        plain = await open_parts.enter_async_context(_service(parts.store, redis_url, 0))
        cached = await open_parts.enter_async_context(
            _service(parts.store, redis_url, AnalyticsSettings().max_cached_bytes)
        )
        asker = Asker(plain, cached, clickhouse, start + query_data.HOURS * query_data.HOUR)
        rows = []
        for question in questions(*await _examples(clickhouse)):
            if options.only in question.name:
                rows.append(await asker.measure(question, options.runs))
                print(rows[-1], flush=True)
        report.add("Questions", rows, "Times in milliseconds.")
        report.add("Store", await _sizes(clickhouse))


async def _examples(clickhouse: ClickHouse) -> tuple[dict[str, str], str]:
    """Trace ids to ask for."""
    found = {}
    for name, table, order in (
        ("newest", "spans", "DESC"),
        ("oldest", "spans", "ASC"),
        ("of a log", "logs", "ASC"),
    ):
        rows = await clickhouse.query(
            f"SELECT lower(hex(trace_id)) AS id FROM {table} WHERE tenant = {{tenant:String}} ORDER BY time {order} LIMIT 1",
            {"tenant": query_data.TENANT},
        )
        found[name] = str(rows[0]["id"])
    return found, found.pop("of a log")


async def _sizes(clickhouse: ClickHouse) -> list[dict[str, Any]]:
    rows = await clickhouse.query(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table HAVING rows > 0 ORDER BY bytes DESC"
    )
    return [{**row, "bytes per row": tidy(row["bytes"] / row["rows"])} for row in rows]


def _default_data() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airis-mon" / "bench-query"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--data", type=Path, default=_default_data(), help="folder of the database, kept for other runs"
    )
    parser.add_argument("--spans", type=int, default=5_000_000)
    parser.add_argument("--logs", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", default="", help="ask only questions whose name contains this; writes no result")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.data.resolve().is_relative_to(ROOT):
        raise SystemExit("--data must lie outside the repository")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    shown = {"spans": options.spans, "logs": options.logs, "runs": options.runs}
    report = Report("query", " ".join((__doc__ or "").split("Method: ")[1].split()), shown)
    parts = Stack(options.data)
    try:
        parts.start("redis")
        parts.start("clickhouse")
        asyncio.run(_run(options, report, parts))
    finally:
        parts.close()
    if not options.only:
        report.write(options.out)


if __name__ == "__main__":
    main()
