"""Carry rows that migrations set aside (`<table>_before`) into the tables that took their place.

Partition by partition: rows are made in a staging table, which replaces partition (0, P) of the new table, where nothing
else ever is, since retention_days is 0 only there; then the reading view `<table>_and_before` is told in one statement that P has
moved, then P is dropped. So what is left to do is what is still there, a run killed anywhere is simply repeated, and no
reader sees a row twice or not at all. Readers use the views while there are any (`views`).

Statements are in schema/clickhouse/carrying. `from_<source>.sql` gives rows as the writer's views take them, so that carried
rows go through the very views that new ones do.
"""

# ruff: noqa: S608 - names and statements are the schema's own
import math
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from libs.common.clickhouse.client import Answer, ClickHouse
from libs.common.clickhouse.migrations import TABLE as MIGRATIONS_TABLE
from libs.common.clickhouse.statements import Statement
from libs.common.clock import Clock, SystemClock
from libs.common.errors import StoreUnavailable

T = TypeVar("T")

SUFFIX = "_before"
VIEW_SUFFIX = "_and_before"
# Of 0006_set_before_aside, the migration after which rows went to the new tables.
CHANGE = 6
# A partition is a day of data; it is rewritten by one thread in the background.
_STATEMENT_SECONDS = 6 * 3600.0
_RANKS = ", ".join(f"{(2 * rank + 1) / 800}" for rank in range(400))
_PLACEHOLDER = re.compile(r"\$\{(\w+)(?::([^}]+))?\}")
STAGING_MARK = "_carried_"
_RECHECK_SECONDS = 5.0
# One thread, and blocks that fit the smallest installation beside its traffic.
_GENTLE = {"max_threads": 1, "max_insert_threads": 1, "async_insert": 0, "max_insert_block_size": 65_536}


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of `source` that go into `target`; `group` of the target's `column` is its partition: days or months.

    `through` are the views they pass, in one way or several; without them `<target>.sql` gives the rows. `last`: the source's partition is done with.
    """

    target: str
    source: str
    group: str = "toDate"
    column: str = "time"
    through: tuple[tuple[str, ...], ...] = ()
    last: bool = False


# In this order: rollups first, while the rows they follow from are still there.
STEPS = (
    Step("resources", "resources_before", column="day", last=True),
    Step("trace_index", "trace_index_before", column="day", last=True),
    Step("red_1h", "red_1h_before", "toStartOfMonth", last=True),
    Step("red_1m", "red_1m_before", last=True),
    Step("metric_series", "metric_points_before", "toStartOfMonth", "day", (("received_metric_points_to_metric_series",),)),
    Step("metric_1h", "metric_points_before", "toStartOfMonth", "time", (("received_metric_points_to_metric_5m", "metric_5m_to_metric_1h"),)),
    Step("metric_5m", "metric_points_before", through=(("received_metric_points_to_metric_5m",),)),
    Step("span_attribute_values", "spans_before", through=(("received_spans_to_span_attribute_values",), ("received_spans_to_span_attribute_values_of_others",))),
    Step("log_attribute_values", "logs_before", through=(("received_logs_to_log_attribute_values",), ("received_logs_to_log_attribute_values_of_others",))),
    Step("spans", "spans_before", through=(("received_spans_to_spans",),), last=True),
    Step("logs", "logs_before", through=(("received_logs_to_logs",),), last=True),
    Step("metric_points", "metric_points_before", through=(("received_metric_points_to_metric_points",),), last=True),
)  # fmt: skip


class Reading:
    """Reads tables by the names they go by at the moment.

    Asks the store for them at first use and, while something is to be carried, every few seconds; never again once nothing is.
    """

    def __init__(self, clickhouse: ClickHouse, clock: Clock | None = None) -> None:
        self._clickhouse = clickhouse
        self._clock = clock or SystemClock()
        self._names: Mapping[str, str] = {}
        self._until = -math.inf

    async def query(self, statement: Statement, values: Mapping[str, Any], *, timeout: float) -> list[dict[str, Any]]:
        """Rows as ClickHouse.query gives them, raising what it raises."""
        return await self._asked(statement, lambda named: self._clickhouse.query(named, values, timeout=timeout))

    async def query_with_cost(
        self, statement: Statement, values: Mapping[str, Any], *, settings: Mapping[str, Any] | None, timeout: float
    ) -> Answer:
        """As ClickHouse.query_with_cost."""
        return await self._asked(
            statement,
            lambda named: self._clickhouse.query_with_cost(named, values, settings=settings, timeout=timeout),
        )

    async def _asked(self, statement: Statement, ask: Callable[[Statement], Awaitable[T]]) -> T:
        try:
            return await ask(await self._named(statement))
        except StoreUnavailable:
            if not self._names:
                raise
        # A view may have gone between our look and the statement.
        self._until = -math.inf
        return await ask(await self._named(statement))

    async def _named(self, statement: Statement) -> Statement:
        if self._clock.monotonic() > self._until:
            self._names = await views(self._clickhouse)
            self._until = self._clock.monotonic() + _RECHECK_SECONDS if self._names else math.inf
        return replace(statement, sql=reading(statement.sql, self._names)) if self._names else statement


async def views(clickhouse: ClickHouse) -> dict[str, str]:
    """Tables with rows that are still to be carried, and the view to read instead; empty when all is done."""
    rows = await clickhouse.query(
        "SELECT name FROM system.tables WHERE database = {database:String} AND endsWith(name, {suffix:String})",
        {"database": clickhouse.settings.database, "suffix": VIEW_SUFFIX},
    )
    return {row["name"].removesuffix(VIEW_SUFFIX): row["name"] for row in rows}


def reading(sql: str, names: Mapping[str, str]) -> str:
    """The statement with these tables read by those names."""
    if not names:
        return sql
    tables = "|".join(map(re.escape, names))
    return re.sub(
        rf"\b(FROM|JOIN) ({tables})\b(?!\.)", lambda found: f"{found[1]} {names[found[2]]} AS {found[2]}", sql
    )


class Carrier:
    """Carries one database. `report` is given a line for every partition."""

    def __init__(self, clickhouse: ClickHouse, folder: Path, report: Callable[[str], None]) -> None:
        self._clickhouse = clickhouse
        self._database = clickhouse.settings.database
        self._folder = folder
        self._report = report
        cluster = clickhouse.settings.cluster
        self._on_cluster = f"ON CLUSTER '{cluster}'" if cluster else ""
        self._columns: dict[str, list[str]] = {}
        self._aliases: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._defaults: dict[str, str] = {}
        self._views: dict[str, str] = {}
        self._changed_at = 0

    async def prepare(self) -> int:
        """Make the reading views, or drop what is empty. Returns the rows that are to be carried; quick whatever their number."""
        sources = await self._sources()
        counts = {source: await self._rows(source) for source in sources}
        if not any(counts.values()):
            await self._finish(sources)
            return 0
        await self._read_schema()
        for step in STEPS:
            await self._show(step, await self._waiting(step))
        return sum(counts.values())

    async def carry(self) -> None:
        """Carry all there is. Raises what the store's client raises; then run it again."""
        if not await self.prepare():
            return
        for name in await self._names(STAGING_MARK):
            await self._run(f"DROP TABLE IF EXISTS {self._table(name)} {self._on_cluster} SYNC")
        for step in STEPS:
            waiting = await self._waiting(step)
            while waiting:
                partition = waiting.pop()  # the newest, which is asked for most
                rows = await self._move(step, partition)
                await self._show(step, waiting)
                if step.last:
                    await self._run(f"ALTER TABLE {self._table(step.source)} DROP PARTITION '{partition}'")
                self._report(f"{step.target} {partition}: {rows:,} rows; {len(waiting)} partitions of it left")
        await self._finish(await self._sources())

    async def _move(self, step: Step, partition: str) -> int:
        staging = f"{step.target}{STAGING_MARK}{uuid4().hex[:8]}"
        columns = ", ".join(self._columns[step.target])
        await self._run(f"CREATE TABLE {self._table(staging)} {self._on_cluster} AS {self._table(step.target)}")
        try:
            made = self._rows_of(step, [partition])
            await self._run(f"INSERT INTO {self._table(staging)} ({columns}) SELECT {columns} FROM ({made})")
            rows = await self._rows(staging)
            if rows:
                await self._run(
                    f"ALTER TABLE {self._table(step.target)} REPLACE PARTITION (0, '{partition}') FROM {self._table(staging)}"
                )
        finally:
            await self._run(f"DROP TABLE IF EXISTS {self._table(staging)} {self._on_cluster} SYNC")
        return rows

    async def _waiting(self, step: Step) -> list[str]:
        """Partitions of the target that are still to be made of the source, oldest first."""
        rows = await self._query(
            f"SELECT DISTINCT toString({step.group}(toDate(partition))) AS day FROM system.parts"
            " WHERE active AND rows > 0 AND database = {database:String} AND table = {table:String} ORDER BY day",
            {"table": step.source},
        )
        waiting = [row["day"] for row in rows]
        if step.last:
            return waiting
        # It stays until a later step is done with it; what was made of it came in whole.
        made = await self._query(
            "SELECT DISTINCT partition FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}",
            {"table": step.target},
        )
        there = {row["partition"] for row in made}
        return [day for day in waiting if f"(0,'{day}')" not in there]

    async def _show(self, step: Step, waiting: Sequence[str]) -> None:
        """Let readers see the carried partitions in the new table and the waiting ones where they are, from one moment on."""
        columns = ", ".join(
            [*self._columns[step.target], *(f"{sql} AS {name}" for name, sql in self._aliases[step.target])]
        )
        sql = f"SELECT {columns} FROM {self._table(step.target)}"
        if waiting:
            chosen = _among(step, step.column, waiting)
            sql += f" WHERE NOT (retention_days = 0 AND {chosen}) UNION ALL SELECT {columns} FROM ({self._rows_of(step, waiting)})"
        await self._run(f"CREATE OR REPLACE VIEW {self._table(step.target + VIEW_SUFFIX)} {self._on_cluster} AS {sql}")

    async def _finish(self, sources: Iterable[str]) -> None:
        for source in sources:
            await self._run(f"DROP TABLE IF EXISTS {self._table(source)} {self._on_cluster} SYNC")
        for name in await self._names(VIEW_SUFFIX):
            await self._run(f"DROP VIEW IF EXISTS {self._table(name)} {self._on_cluster}")

    def _rows_of(self, step: Step, partitions: Sequence[str]) -> str:
        """A SELECT of the target's rows that come from these partitions of the source."""
        if not step.through:
            return self._filled(step.target, step, partitions)
        columns = ", ".join(self._columns[step.target])
        ways = []
        for views_of_way in step.through:
            made = self._filled(f"from_{step.source}", step, partitions)
            of = f"received_{step.source.removesuffix(SUFFIX)}"
            for view in views_of_way:
                made = self._views[view].replace(f"FROM {self._database}.{of}", f"FROM ({made}) AS {of}")
                of = view.rpartition("_to_")[2]
            ways.append(f"SELECT {columns} FROM ({made})")
        return " UNION ALL ".join(ways)

    def _filled(self, name: str, step: Step, partitions: Sequence[str]) -> str:
        def value(found: re.Match[str]) -> str:
            match found[1]:
                case "DATABASE":
                    return self._database
                case "DEFAULT":
                    return self._defaults[found[2]]
                case "PARTITIONS":
                    return _among(step, found[2], partitions)
                case "CHANGED_AT":
                    return str(self._changed_at)
                case "RANKS":
                    return _RANKS
                case unknown:
                    raise KeyError(unknown)

        text = (self._folder / f"{name}.sql").read_text(encoding="utf-8")
        return _PLACEHOLDER.sub(
            value, "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
        )

    async def _read_schema(self) -> None:
        """What the statements are made of: columns, defaults and the views' own SELECTs."""
        self._columns.clear()
        self._aliases.clear()
        for row in await self._query(
            "SELECT table, name, default_kind, default_expression FROM system.columns WHERE database = {database:String} ORDER BY table, position"
        ):
            if row["default_kind"] == "ALIAS":
                self._aliases[row["table"]].append((row["name"], row["default_expression"]))
            else:
                self._columns.setdefault(row["table"], []).append(row["name"])
                self._defaults[f"{row['table']}.{row['name']}"] = row["default_expression"]
        for row in await self._query(
            "SELECT name, as_select FROM system.tables WHERE database = {database:String} AND engine = 'MaterializedView'"
        ):
            self._views[row["name"]] = row["as_select"]
        rows = await self._query(
            f"SELECT toUnixTimestamp64Nano(toDateTime64(max(applied_at), 9)) AS at FROM {self._table(MIGRATIONS_TABLE)} WHERE version = {CHANGE}"
        )
        self._changed_at = int(rows[0]["at"])

    async def _sources(self) -> list[str]:
        known = dict.fromkeys(step.source for step in STEPS)
        there = set(await self._names(SUFFIX))
        sources = [source for source in known if source in there]
        if self._clickhouse.settings.replicated:
            for source in sources:  # a replica that lags would tell of fewer partitions than there are
                await self._run(f"SYSTEM SYNC REPLICA {self._table(source)}")
        return sources

    async def _names(self, part: str) -> list[str]:
        rows = await self._query(
            "SELECT name FROM system.tables WHERE database = {database:String} AND position(name, {part:String}) > 0",
            {"part": part},
        )
        return [row["name"] for row in rows]

    async def _rows(self, table: str) -> int:
        return int((await self._query(f"SELECT count() AS rows FROM {self._table(table)}"))[0]["rows"])

    async def _query(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        given = {"database": self._database, **(parameters or {})}
        return await self._clickhouse.query(sql, {name: value for name, value in given.items() if f"{{{name}:" in sql})

    async def _run(self, sql: str) -> None:
        await self._clickhouse.command(sql, timeout=_STATEMENT_SECONDS, settings=_GENTLE)

    def _table(self, name: str) -> str:
        return f"{self._database}.{name}"


def _among(step: Step, column: str, partitions: Sequence[str]) -> str:
    return f"{step.group}({column}) IN ({', '.join(map(repr, partitions))})"
