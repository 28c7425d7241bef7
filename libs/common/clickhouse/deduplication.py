"""What the store keeps of inserts that came with a token, read from its system tables."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.common.clickhouse.client import ClickHouse
from libs.common.errors import StoreUnavailable

_TABLES = """
SELECT name, engine, engine_full, create_table_query, dependencies_table
FROM system.tables WHERE database = currentDatabase()
"""
_DEFAULTS = "SELECT name, value FROM system.merge_tree_settings WHERE name LIKE '%deduplication_window%'"
_TARGET = re.compile(r"\sTO (?:`?\w+`?\.)?`?(\w+)`?")
_SINGLE = "non_replicated_deduplication_window"
_REPLICATED = "replicated_deduplication_window"
_REPLICATED_SECONDS = "replicated_deduplication_window_seconds"


@dataclass(frozen=True, slots=True)
class InsertMemory:
    """The least of a table and of all that its views feed.

    `atomic`: the engine commits token and part together (replicated engines). `tokens`: how many it remembers, `seconds`:
    for how long. `setting`: table and setting that `tokens` comes from.
    """

    atomic: bool
    tokens: int
    seconds: float
    setting: str


async def insert_memory(clickhouse: ClickHouse, table: str) -> InsertMemory:
    """Raises StoreUnavailable, also while the table is not there."""
    tables = {str(row["name"]): row for row in await clickhouse.query(_TABLES)}
    if table not in tables:
        raise StoreUnavailable("The store's schema is not in place. Run 'airis migrate'.", retry_after=5)
    defaults = {str(row["name"]): str(row["value"]) for row in await clickhouse.query(_DEFAULTS)}
    return min(
        (_of(tables[name], defaults) for name in sorted(_fed(table, tables))),
        key=lambda found: (found.tokens, found.seconds),
    )


def _fed(table: str, tables: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The table and all that materialised views make of it, and of what they make."""
    found, left = set(), [table]
    while left:
        name = left.pop()
        if name in found or name not in tables:
            continue
        found.add(name)
        made = [
            str(tables[view]["create_table_query"]) for view in tables[name]["dependencies_table"] if view in tables
        ]
        left += [target[1] for statement in made if (target := _TARGET.search(statement))]
    return {name for name in found if "MergeTree" in str(tables[name]["engine"])}


def _of(table: Mapping[str, Any], defaults: Mapping[str, str]) -> InsertMemory:
    def setting(name: str) -> float:
        own = re.search(rf"\b{name} = (\d+)", str(table["engine_full"]))
        return float(own[1] if own else defaults.get(name, "0"))

    if re.match(r"Replicated|Shared", str(table["engine"])):
        return InsertMemory(
            True, int(setting(_REPLICATED)), setting(_REPLICATED_SECONDS) or math.inf, f"{table['name']}.{_REPLICATED}"
        )
    return InsertMemory(False, int(setting(_SINGLE)), math.inf, f"{table['name']}.{_SINGLE}")
