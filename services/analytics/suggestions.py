"""What an input field can offer while a query is typed: keys that records have, and values of a key.

Seen in a sample, the newest records of the range: enough to type by, and cheap however long the range is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from libs.common.json_form import attribute_value, to_json
from libs.common.query import SIGNALS, Key, Signal
from services.analytics.cursors import PageCursor
from services.analytics.otlp_rows import tagged_value
from services.analytics.repository import TelemetryRepository
from services.analytics.time_range import TimeRange, slices

T = TypeVar("T")

MAX_KEYS = 1000
MAX_VALUES = 100
# Names of operations may have ids in them; more values than these are nothing to choose from.
_FIELD_VALUES = 10_000
_KEYS_PER_SLICE = 10_000
_SCOPES: Mapping[Signal, str] = {
    Signal.SPANS: "span",
    Signal.TRACES: "span",
    Signal.LOGS: "log",
    Signal.METRICS: "metric",
}
_TYPES: Mapping[str, str] = {
    "s": "string",
    "i": "int",
    "d": "double",
    "t": "bool",
    "f": "bool",
    "a": "array",
    "k": "kvlist",
    "b": "bytes",
    "": "empty",
}


async def keys(
    repository: TelemetryRepository,
    tenant: str,
    signal: Signal,
    span: TimeRange,
    prefix: str,
    records: int,
    offset: int = 0,
) -> dict[str, Any]:
    """Attribute keys with their scope and type, by name. A key that came in two types is listed twice."""
    seen: set[tuple[str, str, str]] = set()
    left = records
    for start, end in slices(span.start, span.end):
        row = await repository.attribute_keys(tenant, signal, TimeRange(start, end), left, _KEYS_PER_SLICE)
        typed = [
            *((key, "s") for key in row["string_keys"]),
            *((key, "i") for key in row.get("int_keys", ())),
            *((key, "d") for key in row.get("double_keys", ())),
            *row["other_keys"],
        ]
        seen.update((key, _SCOPES[signal], _type(byte)) for key, byte in typed)
        left -= row["record_count"]
        if left <= 0:
            break
    for row in await repository.resource_keys(tenant, span, _KEYS_PER_SLICE):
        seen.add((row["key"], "resource", _type(row["type_byte"])))
    wanted = prefix.casefold()
    chosen = sorted(entry for entry in seen if entry[0].casefold().startswith(wanted))
    page, cursor = _page(chosen, offset, MAX_KEYS)
    return {"keys": [{"key": key, "scope": scope, "type": kind} for key, scope, kind in page], "next_cursor": cursor}


async def values(
    repository: TelemetryRepository,
    tenant: str,
    signal: Signal,
    span: TimeRange,
    key: Key,
    prefix: str,
    records: int,
    offset: int = 0,
) -> dict[str, Any]:
    """Values of a key as a query would see it, most frequent first; strings, numbers and booleans, nothing composed."""
    field = SIGNALS[signal].fields.get(key.path) if key.kind != "attribute" else None
    if field is not None and field.listed:
        rows = await repository.field_values(tenant, signal, span, key, _FIELD_VALUES)
        counted = [(tagged_value(bytes.fromhex(row["group_0"])), row["value_0"]) for row in rows if row["group_0"]]
        return _listed(counted, prefix, offset)
    counts: Counter[str] = Counter()
    wanted = offset + MAX_VALUES + 1
    if key.kind != "resource":
        left = records
        for start, end in slices(span.start, span.end):
            part = TimeRange(start, end)
            rows = await repository.attribute_values(tenant, signal, part, key.name, prefix, left, wanted)
            _add(counts, rows)
            left -= sum(row["record_count"] for row in rows)
            if left <= 0 or len(counts) >= wanted:
                break
    _add(counts, await repository.resource_values(tenant, signal, span, key.name, prefix, wanted))
    return _listed(((tagged_value(bytes.fromhex(payload)), count) for payload, count in counts.items()), "", offset)


def _add(counts: Counter[str], rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        counts[row["value"]] += row["record_count"]


def _listed(counted: Iterable[tuple[Any, int]], prefix: str, offset: int) -> dict[str, Any]:
    wanted = prefix.casefold()
    chosen = [(value, count) for value, count in counted if str(value).casefold().startswith(wanted)]
    chosen.sort(key=lambda entry: (-entry[1], to_json(attribute_value(entry[0]))))
    page, cursor = _page(chosen, offset, MAX_VALUES)
    return {
        "values": [{"value": attribute_value(value), "count": count} for value, count in page],
        "next_cursor": cursor,
    }


def _page(entries: list[T], offset: int, size: int) -> tuple[list[T], str | None]:
    """A page of a list, and the cursor to the next if there is one."""
    end = offset + size
    return entries[offset:end], PageCursor(end).encode() if len(entries) > end else None


def _type(type_byte: str) -> str:
    return _TYPES.get(type_byte, "bytes")
