"""Databases, caches, search engines and other people's APIs: what the shop talks to and does not run.

They have no spans of their own; the CLIENT span is all there is, as with real ones.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry.trace import SpanKind, StatusCode

from demo.calls import DEBUG, WARN, Call
from demo.failures import AppError, read_timeout
from demo.kernel import NANOS, Pool, Process, TimedOut
from demo.latency import Latency

_REDIS = Latency(0.45, 2.5)
_REDIS_TIMEOUT = 0.25
_LOCK_TIMEOUT = 2.5
_LOCK_NOT_AVAILABLE = "55P03"
_POOL_NAME = "db.client.connection.pool.name"


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database and how an instance pools connections to it."""

    name: str
    host: str
    pool_size: int = 10
    pool_timeout: float = 3.0


@dataclass(frozen=True, slots=True)
class Statement:
    """`summary` is operation and table, as in `SELECT products`."""

    summary: str
    text: str
    latency: Latency


class Connection:
    """A pooled connection; leaving the block ends the transaction, which frees its row locks, and gives it back."""

    def __init__(self, call: Call, database: Database, pool: Pool) -> None:
        self._call = call
        self._database = database
        self._pool = pool
        self._locks: list[Pool] = []
        self._borrowed_ns = call.now_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._locks:
            lock.release()
        self._pool.release()
        used = (self._call.now_ns - self._borrowed_ns) / NANOS
        self._call.measure("db.client.connection.use_time", used, {_POOL_NAME: self._database.name})

    def execute(self, statement: Statement, *, rows: int | None = None, lock: str | None = None) -> Process[None]:
        """Run a statement that needs the row lock named `lock`. Raises AppError when it cannot be had in time."""
        operation, _, table = statement.summary.partition(" ")
        measured: dict[str, Any] = {
            "db.system.name": "postgresql",
            "db.namespace": self._database.name,
            "db.operation.name": operation,
            "server.address": self._database.host,
            "server.port": 5432,
        }
        if table:
            measured["db.collection.name"] = table
        attributes = measured | {"db.query.text": statement.text, "db.query.summary": statement.summary}
        if rows is not None:
            attributes["db.response.returned_rows"] = rows
        call, started = self._call, self._call.now_ns
        with call.operation(
            statement.summary, kind=SpanKind.CLIENT, scope="shop.db.postgresql", attributes=attributes
        ) as client:
            try:
                if lock is not None:
                    yield from self._take(lock)
                yield from call.pause(statement.latency.draw(call.random))
            except AppError as error:
                client.span.set_attribute("db.response.status_code", _LOCK_NOT_AVAILABLE)
                measured |= {"error.type": error.type, "db.response.status_code": _LOCK_NOT_AVAILABLE}
                raise
            finally:
                client.measure("db.client.operation.duration", (call.now_ns - started) / NANOS, measured)

    def _take(self, name: str) -> Process[None]:
        lock = self._call.world.lock(name)
        try:
            yield from self._call.world.kernel.within(_LOCK_TIMEOUT, lock.acquire())
        except TimedOut:
            raise AppError(
                "psycopg.errors.LockNotAvailable",
                "canceling statement due to lock timeout",
                status=503,
                rpc_status="ABORTED",
                origin=("psycopg/cursor_async.py", "execute", "raise ex.with_traceback(None)"),
            ) from None
        self._locks.append(lock)


def borrow(call: Call, database: Database) -> Process[Connection]:
    """A connection from the instance's pool, to be used in a `with` block. Raises AppError when none is free in time."""
    pool = call.instance.pool(database.name, database.pool_size)
    labels = {_POOL_NAME: database.name}
    started = call.now_ns
    if pool.used < pool.size:
        yield from pool.acquire()
    else:
        # Only waiting is worth a span.
        with call.operation("acquire connection", scope="shop.db.postgresql", attributes=labels) as waiting:
            try:
                yield from call.world.kernel.within(database.pool_timeout, pool.acquire())
            except TimedOut:
                waiting.measure("db.client.connection.timeouts", 1, labels)
                raise AppError(
                    "psycopg_pool.PoolTimeout",
                    f"couldn't get a connection from pool {database.name!r} after {database.pool_timeout:.2f} sec",
                    status=503,
                    rpc_status="UNAVAILABLE",
                    origin=("psycopg_pool/pool_async.py", "getconn", "raise PoolTimeout(message)"),
                ) from None
    call.measure("db.client.connection.wait_time", max(1e-6, (call.now_ns - started) / NANOS), labels)
    return Connection(call, database, pool)


def query(call: Call, database: Database, statement: Statement, *, rows: int | None = None) -> Process[None]:
    """One statement in a transaction of its own."""
    with (yield from borrow(call, database)) as connection:
        yield from connection.execute(statement, rows=rows)


def redis(call: Call, host: str, command: str, key: str) -> Process[None]:
    """A Redis command. Raises AppError in the rare case that it is not answered in time."""
    measured: dict[str, Any] = {
        "db.system.name": "redis",
        "db.namespace": "0",
        "db.operation.name": command,
        "server.address": host,
        "server.port": 6379,
    }
    started = call.now_ns
    with call.operation(
        command,
        kind=SpanKind.CLIENT,
        scope="shop.db.redis",
        attributes=measured | {"db.query.text": f"{command} {key}"},
    ) as client:
        try:
            if call.random.random() < 0.0003:
                yield from call.pause(_REDIS_TIMEOUT)
                measured["error.type"] = "redis.exceptions.TimeoutError"
                raise AppError(
                    "redis.exceptions.TimeoutError",
                    f"Timeout reading from {host}:6379",
                    status=503,
                    rpc_status="UNAVAILABLE",
                    origin=("redis/asyncio/connection.py", "read_response", "raise TimeoutError(message)"),
                )
            yield from call.pause(_REDIS.draw(call.random))
        finally:
            client.measure("db.client.operation.duration", (call.now_ns - started) / NANOS, measured)


def cached(
    call: Call, host: str, cache: str, key: str, seconds: float, load: Callable[[], Process[Any]]
) -> Process[bool]:
    """Look up `cache:key`, `load` it when it is not there; whether it was a hit. A broken cache is a miss."""
    name = f"{cache}:{key}"
    expiries = call.world.expiries
    try:
        yield from redis(call, host, "GET", name)
        hit = expiries.get(name, 0) > call.now_ns
    except AppError as error:
        call.log(WARN, f"cache {cache} unavailable, reading from the source: {error}")
        hit = False
    call.instance.telemetry.record(
        "shop.cache.lookups", 1, {"shop.cache.name": cache, "shop.cache.result": "hit" if hit else "miss"}
    )
    if hit:
        return True
    call.log(DEBUG, f"cache miss {name}")
    yield from load()
    with suppress(AppError):
        yield from redis(call, host, "SET", name)
        expiries[name] = call.now_ns + round(seconds * NANOS)
    return False


def search_index(call: Call, index: str, text: str, latency: Latency, hits: int) -> Process[None]:
    """An OpenSearch query."""
    measured: dict[str, Any] = {
        "db.system.name": "opensearch",
        "db.operation.name": "search",
        "db.collection.name": index,
        "server.address": "opensearch",
        "server.port": 9200,
    }
    body = '{"query":{"multi_match":{"query":"?","fields":["name^3","description"]}}}'
    started = call.now_ns
    with call.operation(
        f"search {index}",
        kind=SpanKind.CLIENT,
        scope="shop.db.opensearch",
        attributes=measured | {"db.query.text": body, "db.response.returned_rows": hits, "shop.search.text": text},
    ) as client:
        try:
            yield from call.pause(latency.draw(call.random) * call.world.slowdown())
            if call.random.random() < 0.004:
                measured |= {"error.type": "opensearchpy.exceptions.TransportError", "db.response.status_code": "429"}
                client.span.set_attribute("db.response.status_code", "429")
                raise AppError(
                    "opensearchpy.exceptions.TransportError",
                    "TransportError(429, 'circuit_breaking_exception', '[parent] Data too large')",
                    status=503,
                    origin=("opensearchpy/_async/transport.py", "perform_request", "raise e"),
                )
        finally:
            client.measure("db.client.operation.duration", (call.now_ns - started) / NANOS, measured)


@dataclass(frozen=True, slots=True)
class External:
    """Somebody else's HTTP API. `failing` is how often it answers 503."""

    host: str
    latency: Latency
    failing: float = 0.0


def request(
    call: Call,
    api: External,
    method: str,
    path: str,
    *,
    timeout: float,
    attempt: int = 0,
    seconds: float | None = None,
    failing: float | None = None,
) -> Process[int]:
    """The status an outside API answers. `seconds` and `failing` override what is usual. Raises AppError on timeout."""
    measured: dict[str, Any] = {"http.request.method": method, "server.address": api.host, "server.port": 443}
    attributes = measured | {"url.full": f"https://{api.host}{path}", "network.protocol.version": "2"}
    if attempt:
        attributes["http.request.resend_count"] = attempt
    takes = api.latency.draw(call.random) if seconds is None else seconds
    fails = call.random.random() < (api.failing if failing is None else failing)
    started = call.now_ns
    with call.operation(method, kind=SpanKind.CLIENT, scope="shop.http.client", attributes=attributes) as client:
        try:
            if takes > timeout:
                yield from call.pause(timeout)
                raise read_timeout(api.host, timeout)
            yield from call.pause(takes)
            status = 503 if fails else 200
            client.span.set_attribute("http.response.status_code", status)
            measured["http.response.status_code"] = status
            if fails:
                measured["error.type"] = "503"
                client.span.set_attribute("error.type", "503")
                client.span.set_status(StatusCode.ERROR)
        except AppError as error:
            measured["error.type"] = error.type
            raise
        finally:
            client.measure("http.client.request.duration", (call.now_ns - started) / NANOS, measured)
    return status
