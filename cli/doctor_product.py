"""What the doctor looks at inside the running product."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import redis
from redis.exceptions import RedisError

from cli.findings import Finding, ok, problem, warning
from cli.installation import Running
from embedded.health import first_problem
from embedded.layout import Layout, Secrets, processes
from embedded.processes import left_behind

SECONDS = 5.0
MANY_RESTARTS = 3
# A minute of a busy laptop's telemetry; the writer normally stays below a second's.
LAG_RECORDS = 10_000


def check_state(present: Running | None, data_dir: Path) -> Iterator[Finding]:
    """Whether it runs, and how often its processes had to be started again."""
    if present is None:
        if left := left_behind(data_dir):
            pids = ", ".join(str(process.pid) for process in left)
            yield problem(
                "state", f"without supervisor, but processes {pids} go on", "airis up or airis down ends them."
            )
        else:
            yield ok("state", "not running; airis up starts it")
        return
    advice = f"See airis logs, or {data_dir / 'logs' / 'supervisor.log'}"
    if present.phase != "ready":
        yield warning("state", f"{present.phase}: {present.message}", advice)
    else:
        yield ok("state", f"ready, supervisor {present.supervisor.pid}")
    for name, process in present.processes.items():
        if process["restarts"] >= MANY_RESTARTS:
            yield warning(
                name, f"was started again {process['restarts']} times", f"airis logs {name} says why it ends."
            )


def check_readiness(layout: Layout, made: Secrets) -> Iterator[Finding]:
    """Every process's own word on whether it can work."""
    for spec in processes(layout, made, ()):
        if not spec.ready:
            continue
        missing = asyncio.run(first_problem(spec.ready))
        if missing is None:
            yield ok(spec.name, "ready")
        else:
            yield problem(spec.name, missing, f"airis logs {spec.name}; it is started again when it ends.")


def check_redis(layout: Layout, made: Secrets) -> Iterator[Finding]:
    """Its append-only file, and memory against its limit."""
    try:
        with redis.Redis(
            port=layout.ports.redis, password=made.redis_password, socket_timeout=SECONDS, decode_responses=True
        ) as client:
            info: dict[str, Any] = {**client.info("persistence"), **client.info("memory")}
            policy = {**client.config_get("appendfsync"), **client.config_get("appendonly")}
    except RedisError as error:
        yield problem("redis log", str(error), "airis logs redis")
        return
    advice = (
        "Records may not survive a crash. Free disk space, then airis down && airis up; airis logs redis has the cause."
    )
    if info.get("aof_last_write_status") != "ok" or info.get("aof_last_bgrewrite_status") != "ok":
        detail = f"write {info.get('aof_last_write_status')}, rewrite {info.get('aof_last_bgrewrite_status')}"
        yield problem("redis log", detail, advice)
    elif policy != {"appendfsync": "always", "appendonly": "yes"}:
        yield problem("redis log", f"set to {policy}", "Restart with airis down && airis up, which sets it right.")
    else:
        yield ok("redis log", f"synced with every write, {int(info.get('aof_current_size', 0)) / 2**20:.1f} MiB")
    used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
    if limit and used > 0.8 * limit:
        detail = f"{used / 2**20:.0f} of {limit / 2**20:.0f} MiB"
        yield warning("redis memory", detail, "The bus is filling up: is the writer keeping up? airis logs writer")


def check_clickhouse(layout: Layout, made: Secrets) -> Iterator[Finding]:
    """Answers, schema, and parts that the engine had to put aside."""
    question = (
        "SELECT version(), (SELECT count() FROM system.tables WHERE database = 'airis'),"
        " (SELECT count() FROM system.detached_parts WHERE reason LIKE 'broken%') FORMAT JSONCompactEachRow"
    )
    try:
        answer = httpx.post(
            f"http://127.0.0.1:{layout.ports.clickhouse}/",
            content=question, headers={"X-ClickHouse-Key": made.store_password}, timeout=SECONDS, trust_env=False,
        ).raise_for_status()  # fmt: skip
        version, tables, broken = json.loads(answer.text)
    except (httpx.HTTPError, ValueError) as error:
        yield problem("clickhouse", str(error), "airis logs clickhouse")
        return
    if int(tables) == 0:
        yield problem("clickhouse", f"{version}, without tables", "airis migrate")
    else:
        yield ok("clickhouse", f"{version}, {tables} tables")
    if int(broken):
        advice = (
            "A disk or power failure damaged them; their rows are gone from queries. Look into data/clickhouse/store."
        )
        yield problem("clickhouse parts", f"{broken} are broken and put aside", advice)


def check_lag(layout: Layout) -> Iterator[Finding]:
    """Records in the topics that the writer has not stored yet."""
    try:
        text = httpx.get(
            f"http://127.0.0.1:{layout.ports.writer}/metrics", timeout=SECONDS, trust_env=False
        ).raise_for_status().text  # fmt: skip
    except httpx.HTTPError as error:
        yield problem("topics", f"the writer does not say how far it is: {error}", "airis logs writer")
        return
    lag = total_lag(text)
    if lag is None:
        yield warning("topics", "the writer exports no lag yet", "Ask again in a moment.")
    elif lag > LAG_RECORDS:
        yield warning(
            "topics", f"{lag:.0f} records wait for the writer", "airis logs writer says whether the store refuses."
        )
    else:
        yield ok("topics", f"{lag:.0f} records wait for the writer")


def total_lag(exposition: str) -> float | None:
    """Sum of the bus's lag over partitions, None when it is not exported."""
    values = re.findall(r"^airis_bus_\w*lag\w*(?:\{[^}]*\})? (\S+)$", exposition, re.MULTILINE)
    return sum(float(value) for value in values) if values else None
