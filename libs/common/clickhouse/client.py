"""ClickHouse over HTTP: capped reads that end when their reader does, and writes that may be repeated.

Reads raise QueryTimeout, QueryTooExpensive or StoreUnavailable. Writes raise StoreUnavailable (the same batch may
succeed later) or StoreRejected (it never will). The connection is made by the first use, so that a service starts, and
says so in /readyz, while the store is away.
"""

import asyncio
import struct
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import clickhouse_connect
import structlog
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.query import QueryResult
from clickhouse_connect.driver.summary import QuerySummary
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry

from libs.common import tracing
from libs.common.clickhouse.failures import from_clickhouse
from libs.common.clickhouse.statements import Statement
from libs.common.clock import Clock, SystemClock
from libs.common.errors import AirisError, QueryTimeout, StoreRejected, StoreUnavailable
from libs.common.metrics import Metrics, histogram
from libs.common.settings import ClickHouseSettings

T = TypeVar("T")

# Time for the store to notice its own cap and say so, before we stop waiting.
_GRACE_SECONDS = 2.0
_KILL_SECONDS = 2.0
# Below the store's own, so that we never send into a connection it is closing.
_KEEPALIVE_SECONDS = 4.0
_EXACTLY_ONCE = {
    "insert_deduplicate": 1,
    # A replayed batch must be a no-op in the rollups too.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}

log = structlog.get_logger(__name__)


class StoreMetrics(Metrics):
    """What the store costs us, from our side of the wire."""

    duration = histogram(
        "airis_store_duration_seconds",
        "Time of one statement, by file name (adhoc for composed ones) and outcome (ok, cancelled or an error id).",
        unit="seconds",
        labels=("operation", "statement", "outcome"),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows by column name, and the rows and uncompressed bytes that the store read for them."""

    rows: list[dict[str, Any]]
    read_rows: int
    read_bytes: int


class _EmptyColumns(dict[str, list[Any]]):
    def __missing__(self, _name: str) -> list[Any]:
        return []


class ClickHouse:
    """A pool of connections. Made by open_clickhouse."""

    def __init__(
        self, settings: ClickHouseSettings, *, database: str, clock: Clock, metrics: StoreMetrics | None
    ) -> None:
        self.settings = settings
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._connecting = asyncio.Lock()
        self._connected: AsyncClient | None = None
        self._insert_types: dict[tuple[str, tuple[str, ...]], Sequence[Any]] = {}

    async def query(
        self,
        statement: str | Statement,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Rows as dicts. Time columns should be selected as integers: Python's datetime has no nanoseconds."""
        result = await self._read(statement, parameters, settings, timeout, column_oriented=False)
        return [dict(row) for row in result.named_results()]

    async def query_with_cost(
        self,
        statement: str | Statement,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Rows as `query` gives them, and what the store read for them."""
        # Only when the statement has ended does the store know what it read, and its head comes before the rows.
        known = {"wait_end_of_query": 1, **(settings or {})}
        result = await self._read(statement, parameters, known, timeout, column_oriented=False)
        summary = result.summary
        return Answer(
            [dict(row) for row in result.named_results()],
            read_rows=int(summary.get("read_rows", 0)),
            read_bytes=int(summary.get("read_bytes", 0)),
        )

    async def query_columns(
        self,
        statement: str | Statement,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> dict[str, list[Any]]:
        """Columns by name, in the statement's order, each as long as the result; cheaper than rows for series.

        An empty result gives [] for any name, since the store then sends no names.
        """
        result = await self._read(statement, parameters, settings, timeout, column_oriented=True)
        if not result.result_columns:
            return _EmptyColumns()
        return {name: list(values) for name, values in zip(result.column_names, result.result_columns, strict=True)}

    async def command(
        self,
        statement: str | Statement,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """DDL and other statements without rows; a single value for one that has it."""
        name, sql = _named(statement, parameters)
        limit = timeout or self.settings.insert_timeout_seconds
        sent = {"log_comment": name, **(settings or {})}
        with self._observed("command", name):
            return await self._within(
                limit, lambda client: client.command(sql, parameters=dict(parameters or {}) or None, settings=sent)
            )

    async def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        token: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> int:
        """Insert rows of Python values; returns the rows written, those of materialised views included.

        The same `token` a second time inserts nothing, in views neither, within the table's deduplication window.
        """
        if not rows:
            return 0
        key = (table, tuple(columns))
        with self._observed("insert", table):
            try:
                return await self._within(
                    self.settings.insert_timeout_seconds,
                    lambda client: self._insert(client, key, rows, self._write_settings(table, token, settings)),
                )
            except AirisError:
                # The table may have changed under the remembered types; the next attempt asks again.
                self._insert_types.pop(key, None)
                raise

    async def insert_raw(
        self,
        sql: str | Statement,
        body: bytes,
        fmt: str,
        settings: Mapping[str, Any] | None = None,
        token: str | None = None,
        *,
        content_encoding: str = "",
        query_id: str | None = None,
    ) -> int:
        """Run `<sql> FORMAT <fmt>` with `body` as its data; returns rows written as `insert` does.

        `content_encoding` is the body's own (lz4, zstd, gzip), undone by the store. Of one `query_id` a server runs one
        statement at a time: the next one is StoreUnavailable until `end_query` or its end.
        """
        name, text = _named(sql, None)
        headers = {"Content-Encoding": content_encoding} if content_encoding else None
        with self._observed("insert", name):
            summary = await self._within(
                self.settings.insert_timeout_seconds,
                lambda client: client.command(
                    f"{text} FORMAT {fmt}",
                    data=body,
                    settings=self._write_settings(name, token, settings) | ({"query_id": query_id} if query_id else {}),
                    transport_settings=headers,
                ),
            )
            return _written(summary)

    async def end_query(self, query_id: str) -> None:
        """Return when this server runs no statement of this id any more. Raises StoreUnavailable."""
        parameters = {"id": query_id}  # the embedded engine knows query_id by another name
        await self.command("KILL QUERY WHERE query_id = {id:String} SYNC", parameters)
        # One that waits for its turn is not seen by KILL, but its id is taken: whoever gets the id knows that it is free.
        await self.command("SELECT 1", settings={"query_id": query_id})

    async def check(self) -> None:
        """Readiness: one trivial query. Raises an AirisError."""
        await self.query("SELECT 1", timeout=1.5)

    async def close(self) -> None:
        """Close the connections; statements in flight are waited for."""
        async with self._connecting:
            client, self._connected = self._connected, None
        if client is not None:
            await client.close()

    async def _read(
        self,
        statement: str | Statement,
        parameters: Mapping[str, Any] | None,
        settings: Mapping[str, Any] | None,
        timeout: float | None,
        *,
        column_oriented: bool,
    ) -> QueryResult:
        name, sql = _named(statement, parameters)
        limit = timeout or self.settings.query_timeout_seconds
        query_id = str(uuid.uuid4())
        sent = {
            "max_execution_time": f"{limit:g}",
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self.settings.max_memory_bytes,
            "max_result_rows": self.settings.max_result_rows,
            "result_overflow_mode": "throw",
            "log_comment": name,
            **(settings or {}),
            "query_id": query_id,
        }
        with self._observed("query", name):
            try:
                return await self._within(
                    limit + _GRACE_SECONDS,
                    lambda client: client.query(
                        sql,
                        parameters=dict(parameters or {}) or None,
                        settings=sent,
                        column_oriented=column_oriented,
                        tz_mode="aware",
                    ),
                    write=False,
                )
            except (asyncio.CancelledError, QueryTimeout):
                await self._kill(query_id)
                raise

    async def _insert(
        self,
        client: AsyncClient,
        key: tuple[str, tuple[str, ...]],
        rows: Sequence[Sequence[Any]],
        settings: dict[str, Any],
    ) -> int:
        table, columns = key
        types = self._insert_types.get(key)
        if types is None:
            context = await client.create_insert_context(table, list(columns))
            types = self._insert_types[key] = context.column_types
        try:
            summary = await client.insert(
                table, rows, column_names=list(columns), column_types=types, settings=settings
            )
        except (ValueError, TypeError, ArithmeticError, AttributeError, struct.error) as error:
            # The driver lets through whatever a Python value raised on its way to bytes.
            raise StoreRejected(reason=repr(error)) from error
        return _written(summary)

    def _write_settings(self, name: str, token: str | None, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        once = {**_EXACTLY_ONCE, "insert_deduplication_token": token} if token else {}
        return {
            "max_execution_time": f"{self.settings.insert_timeout_seconds:g}",
            # The status line must know how the insert ended.
            "wait_end_of_query": 1,
            "log_comment": name,
            **once,
            **(settings or {}),
        }

    async def _within(self, seconds: float, work: Callable[[AsyncClient], Awaitable[T]], *, write: bool = True) -> T:
        """Run `work` on a connected client, in time, with its errors as leaves of our tree."""
        try:
            async with asyncio.timeout(seconds):
                return await work(await self._client())
        except TimeoutError:
            if write:
                raise StoreUnavailable("The store did not confirm in time.") from None
            raise QueryTimeout("The store did not answer in time. Narrow the time range or the filter.") from None
        except ClickHouseError as error:
            raise from_clickhouse(error, write=write) from error

    async def _client(self) -> AsyncClient:
        if self._connected is None:
            async with self._connecting:
                if self._connected is None:
                    self._connected = await _connect(self.settings, self._database)
        return self._connected

    async def _kill(self, query_id: str) -> None:
        """End a read nobody waits for. Best effort: the closed connection and the time cap end it as well."""
        if self._connected is None:
            return
        with suppress(ClickHouseError, TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                await self._connected.command(
                    "KILL QUERY WHERE query_id = {id:String} ASYNC", parameters={"id": query_id}
                )

    @contextmanager
    def _observed(self, operation: str, name: str) -> Iterator[None]:
        started, outcome = self._clock.monotonic(), "ok"
        attributes = {"db.system.name": "clickhouse", "db.operation.name": operation, "db.query.summary": name}
        try:
            with tracing.span(f"{operation} {name}", kind=SpanKind.CLIENT, attributes=attributes):
                yield
        except AirisError as error:
            outcome = error.id
            # What the store itself said is for us; callers are shown the error's detail.
            reason = str(error.__cause__ or "")
            log.warning("store error", operation=operation, statement=name, error=error.id, reason=reason)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            if self._metrics is not None:
                self._metrics.duration.labels(operation, name, outcome).observe(self._clock.monotonic() - started)


@asynccontextmanager
async def open_clickhouse(
    settings: ClickHouseSettings,
    *,
    database: str | None = None,
    registry: CollectorRegistry | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[ClickHouse]:
    """The store while the block runs. Never raises for a store that is away; its first use does.

    `database` replaces the settings' one; "" means the user's default, for the runner that creates ours.
    """
    store = ClickHouse(
        settings,
        database=settings.database if database is None else database,
        clock=clock or SystemClock(),
        metrics=StoreMetrics(registry) if registry else None,
    )
    try:
        yield store
    finally:
        await store.close()


async def _connect(settings: ClickHouseSettings, database: str) -> AsyncClient:
    url = urlsplit(settings.url)
    return await clickhouse_connect.get_async_client(
        host=url.hostname,
        port=url.port or (8443 if url.scheme == "https" else 8123),
        interface=url.scheme,
        proxy_path=url.path,
        username=settings.user,
        password=settings.password.get_secret_value(),
        database=database or None,
        compress="lz4",
        connect_timeout=settings.connect_timeout_seconds,
        # The calls' own deadlines are the ones that count; this only frees a socket they left behind.
        send_receive_timeout=max(settings.query_timeout_seconds, settings.insert_timeout_seconds) + 10,
        connector_limit=settings.max_connections,
        connector_limit_per_host=settings.max_connections,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        autogenerate_session_id=False,  # a session runs one query at a time
        show_clickhouse_errors="scrub",
        client_name="airis-mon",
    )


def _named(statement: str | Statement, parameters: Mapping[str, Any] | None) -> tuple[str, str]:
    if isinstance(statement, str):
        return "adhoc", statement
    statement.check(parameters or {})
    return statement.name, statement.sql


def _written(summary: object) -> int:
    return int(summary.summary.get("written_rows", 0)) if isinstance(summary, QuerySummary) else 0
