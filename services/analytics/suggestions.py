"""What an input field can offer while a query is typed: keys that records have, and values of a key.

Seen in a sample, the newest records of the range: enough to type by, and cheap however long the range is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from libs.common.json_form import attribute_value, to_json
from libs.common.query import Key, Signal
from libs.common.query.fields import SEVERITIES
from services.analytics.otlp_rows import KINDS, STATUSES, named, tagged_value
from services.analytics.repository import FIELD_COLUMNS, TelemetryRepository
from services.analytics.time_range import TimeRange, slices

MAX_KEYS = 1000
MAX_VALUES = 100
_KEYS_PER_SLICE = 10_000
_SCOPES: Mapping[Signal, str] = {Signal.TRACES: "span", Signal.LOGS: "log", Signal.METRICS: "metric"}
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
    repository: TelemetryRepository, tenant: str, signal: Signal, span: TimeRange, prefix: str, records: int
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
    chosen = sorted(entry for entry in seen if entry[0].casefold().startswith(wanted))[:MAX_KEYS]
    return {"keys": [{"key": key, "scope": scope, "type": kind} for key, scope, kind in chosen]}


async def values(
    repository: TelemetryRepository,
    tenant: str,
    signal: Signal,
    span: TimeRange,
    key: Key,
    prefix: str,
    records: int,
) -> dict[str, Any]:
    """Values of a key as a query would see it, most frequent first; strings, numbers and booleans, nothing composed."""
    if key.kind == "name" and (column := FIELD_COLUMNS[signal].get(key.name)) is not None:
        rows = await repository.field_values(tenant, signal, span, column, 10 * MAX_VALUES)
        return _listed(_field_counts(rows, column), prefix)
    counts: Counter[str] = Counter()
    if key.kind != "resource":
        left = records
        for start, end in slices(span.start, span.end):
            part = TimeRange(start, end)
            rows = await repository.attribute_values(tenant, signal, part, key.name, prefix, left, MAX_VALUES)
            _add(counts, rows)
            left -= sum(row["record_count"] for row in rows)
            if left <= 0 or len(counts) >= MAX_VALUES:
                break
    _add(counts, await repository.resource_values(tenant, signal, span, key.name, prefix, MAX_VALUES))
    return _listed(((tagged_value(bytes.fromhex(payload)), count) for payload, count in counts.items()), "")


def _add(counts: Counter[str], rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        counts[row["value"]] += row["record_count"]


def _field_counts(rows: Iterable[Mapping[str, Any]], column: str) -> Iterable[tuple[Any, int]]:
    """Numbers of enumerations as the names the query language knows."""
    counts: Counter[Any] = Counter()
    for row in rows:
        text = row["value"]
        if column == "status_code":
            text = str(named(STATUSES, int(text))).lower()
        elif column == "kind":
            text = str(named(KINDS, int(text))).lower()
        elif column == "severity":
            number = int(text)
            text = SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else "unset" if number == 0 else text
        if text:
            counts[text] += row["record_count"]
    return counts.items()


def _listed(counted: Iterable[tuple[Any, int]], prefix: str) -> dict[str, Any]:
    wanted = prefix.casefold()
    chosen = [(value, count) for value, count in counted if str(value).casefold().startswith(wanted)]
    chosen.sort(key=lambda entry: (-entry[1], to_json(attribute_value(entry[0]))))
    return {"values": [{"value": attribute_value(value), "count": count} for value, count in chosen[:MAX_VALUES]]}


def _type(type_byte: str) -> str:
    return _TYPES.get(type_byte, "bytes")
