"""What a query means, said a second time and naively: over one record, in Python, without SQL."""

import json
import operator
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import re2

from libs.common.query import Query, Signal
from libs.common.query.ast import And, Comparison, Exists, Key, Not, Or, Text, Value
from tests.integration.query.records import ABSENT, Sample

ORDER = {"=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


def matches(query: Query | None, record: Sample, signal: Signal) -> bool:
    match query:
        case None:
            return True
        case And(items):
            return all(matches(item, record, signal) for item in items)
        case Or(items):
            return any(matches(item, record, signal) for item in items)
        case Not(item):
            return not matches(item, record, signal)
        case Text(text, wildcard):
            if not text.strip("*"):
                return True
            if wildcard:
                pattern = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.IGNORECASE | re.DOTALL)
                return any(pattern.search(found) for found in _texts(record, signal))
            return any(_composed(text).lower() in _composed(found).lower() for found in _texts(record, signal)) or (
                signal is Signal.LOGS and any(text == found for found in _encoded(record.fields["body"]))
            )
        case Exists(key) | Comparison(key):
            field = _fields(signal).get(key.path) if key.kind != "attribute" else None
            if field is not None:
                return field(record, query)
            if signal is Signal.LOGS and key.kind == "name" and key.name.startswith("body."):
                return _attribute(
                    _inside(_json(record.fields["body"]), key.name.removeprefix("body.").split(".")), query
                )
            if signal in {Signal.SPANS, Signal.TRACES} and key.kind == "event":
                return _events_attribute(record, query)
            return _attribute(_value_of(key, record, signal, entries=_sees_entries(query)), query)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _texts(record: Sample, signal: Signal) -> list[str]:
    if signal in {Signal.SPANS, Signal.TRACES}:
        return [record.fields["name"]]
    body = record.fields["body"]
    return [str(body)] if isinstance(body, int | float) and not isinstance(body, bool) else list(_leaves(body))


def _leaves(value: Any) -> Iterator[str]:
    """Strings in a body: keys of maps too."""
    if value is ABSENT:
        return
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, str):
        yield value


def _encoded(value: Any) -> Iterator[str]:
    """Booleans of a body, and ints inside one, which are found as a whole only."""
    if isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _encoded(item)
    elif isinstance(value, int):
        yield str(value).lower()


def _json(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    return json.loads(body) if body.startswith("{") else ABSENT


def _inside(value: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def _sees_entries(term: Comparison | Exists) -> bool:
    """Whether the term is one of those that look into maps: is there an entry, and is it equal to a value."""
    if isinstance(term, Exists):
        return True
    partly = "*" in term.value.text and not term.value.quoted and term.value.text.strip("*")
    return term.operator == "=" and not partly


def _value_of(key: Key, record: Sample, signal: Signal, *, entries: bool) -> Any:
    """Where a scope is none of the signal's, its prefix belongs to the name; `a.b` may be entry b of a map in a."""
    own_scope = "span" if signal in {Signal.SPANS, Signal.TRACES} else None
    name = key.name if key.kind in {"name", "attribute", "resource", "scope", own_scope} else key.path
    if key.kind == "scope":
        return ABSENT
    if key.kind != "resource":
        if name in record.attributes:
            return record.attributes[name]
        if entries and (found := _entry(record.attributes, name)) is not ABSENT:
            return found
    if key.kind == own_scope:
        return ABSENT
    if name in record.resource:
        return record.resource[name]
    return _entry(record.resource, name) if entries else ABSENT


def _entry(attributes: dict[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = attributes.get(outer)
    return value.get(inner, ABSENT) if isinstance(value, dict) else ABSENT


def _events_attribute(record: Sample, term: Comparison | Exists) -> bool:
    values = [record.fields["event_attributes"].get(term.key.name, ABSENT) for _ in record.fields["events"]]
    if isinstance(term, Comparison) and term.operator in {"!=", "!~"}:
        positive = Comparison(term.key, "=" if term.operator == "!=" else "=~", term.value)
        return any(value is not ABSENT for value in values) and not any(_attribute(value, positive) for value in values)
    return any(_attribute(value, term) for value in values)


def _attribute(value: Any, term: Comparison | Exists) -> bool:
    if isinstance(term, Exists):
        return value is not ABSENT
    if value is ABSENT:
        return False
    if term.operator in {"!=", "!~"}:
        return not _attribute(value, Comparison(term.key, "=" if term.operator == "!=" else "=~", term.value))
    if term.operator == "=~":
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
        return text is not None and _found(term.value.text, text)
    compare = ORDER[term.operator]
    wanted = _literal(term)
    if isinstance(wanted, re.Pattern):
        return _globbed(wanted, value) if wanted.pattern.strip(".*") else True
    if isinstance(value, list):
        return term.operator == "=" and any(_attribute(item, term) for item in value)
    if isinstance(wanted, bool):
        return value is wanted or value == term.value.text
    if isinstance(wanted, int | float):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return compare(value, wanted)
        return term.operator == "=" and value == term.value.text
    if term.operator == "=":
        return isinstance(value, str) and _composed(value) == _composed(wanted)
    return isinstance(value, str) and compare(value.encode(), wanted.encode())


def _globbed(pattern: re.Pattern[str], value: Any) -> bool:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    return text is not None and pattern.fullmatch(text) is not None


def _literal(term: Comparison) -> Any:
    text = term.value.text
    if term.value.quoted:
        return text
    if "*" in text:
        return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
    if text in {"true", "false"}:
        return text == "true"
    for reading in (int, float):
        if text.strip("+-0123456789.eE") == "" and text[-1] in "0123456789.":
            try:
                return reading(text)
            except ValueError:
                continue
    return text


def _found(pattern: str, text: str) -> bool:
    options = re2.Options()
    options.dot_nl = True
    return re2.compile(pattern, options).search(text) is not None


def _same_text(wanted: Value, text: str) -> bool:
    if "*" in wanted.text and not wanted.quoted:
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.text.split("*")), re.DOTALL)
        return text != "" and pattern.fullmatch(text) is not None
    return _composed(text) == _composed(wanted.text)


def _text(value: Any) -> Any:
    def field(record: Sample, term: Comparison | Exists) -> bool:
        text = value(record)
        if isinstance(term, Exists):
            return text != ""
        if term.operator in {"=~", "!~"}:
            found = _found(term.value.text, text)
            return found if term.operator == "=~" else text != "" and not found
        same = _same_text(term.value, text)
        return same if term.operator == "=" else text != "" and not same

    return field


def _events(record: Sample, term: Comparison | Exists) -> bool:
    names = record.fields["events"]
    if isinstance(term, Exists):
        return bool(names)
    if term.operator in {"=", "!="}:
        found = any(_same_text(term.value, name) for name in names)
    else:
        found = any(_found(term.value.text, name) for name in names)
    return found if term.operator in {"=", "=~"} else bool(names) and not found


def _body(record: Sample, term: Comparison | Exists) -> bool:
    body = record.fields["body"]
    if isinstance(term, Exists) or body is ABSENT:
        return isinstance(term, Exists) and body is not ABSENT
    if isinstance(body, str):
        if term.operator in {"=", "!="}:
            return _same_text(term.value, body) == (term.operator == "=")
        return term.operator in {"=~", "!~"} and _found(term.value.text, body) == (term.operator == "=~")
    if term.operator in {"=~", "!~"}:
        return term.operator == "!~"
    return _attribute(body, term)


def _identifier(name: str) -> Any:
    def field(record: Sample, term: Comparison | Exists) -> bool:
        value = record.fields[name].hex()
        if isinstance(term, Exists):
            return value != ""
        same = value == term.value.text.lower().removeprefix("0x").replace("-", "").zfill(
            32 if name == "trace_id" else 16
        )
        return same if term.operator == "=" else value != "" and not same

    return field


def _duration(record: Sample, term: Comparison | Exists) -> bool:
    if isinstance(term, Exists):
        return True
    text = term.value.text
    unit = next(unit for unit in ("ns", "us", "ms", "s", "m", "h") if text.endswith(unit))
    wanted = int(Decimal(text.removesuffix(unit)) * UNITS[unit])
    value = record.fields["duration"]
    return value != wanted if term.operator == "!=" else ORDER[term.operator](value, wanted)


def _named(name: str, names: tuple[str, ...]) -> Any:
    def field(record: Sample, term: Comparison | Exists) -> bool:
        if isinstance(term, Exists):
            return True
        same = names[record.fields[name]] == term.value.text.lower()
        return same == (term.operator == "=")

    return field


def _severity(record: Sample, term: Comparison | Exists) -> bool:
    number = record.fields["severity"] or LEVELS.get(record.fields["severity_text"].lower().removesuffix("ing"), 0)
    if isinstance(term, Exists):
        return number != 0
    text = term.value.text.lower()
    if text == "unset":
        low, high = 0, 0
    elif text.isdigit():
        low = high = int(text)
    elif text[-1].isdigit():
        low = high = LEVELS[text[:-1]] + int(text[-1]) - 1
    else:
        low, high = LEVELS[text], LEVELS[text] + 3
    if term.operator in {"=", "!="}:
        return (low <= number <= high) == (term.operator == "=")
    return number != 0 and ORDER[term.operator](number, low if term.operator in {">=", "<"} else high)


def _fields(signal: Signal) -> dict[str, Any]:
    service = _text(lambda record: record.resource.get("service.name", ""))
    common = {
        "service": service,
        "service.name": service,
        "scope.name": _text(lambda record: record.scope_name),
        "scope.version": _text(lambda record: record.scope_version),
    }
    ids = {"trace_id": _identifier("trace_id"), "span_id": _identifier("span_id")}
    if signal is Signal.METRICS:
        return common
    if signal is Signal.LOGS:
        return common | ids | {
            "severity": _severity,
            "severity_text": _text(lambda record: record.fields["severity_text"]),
            "body": _body,
            "event.name": _text(lambda record: record.fields["event_name"]),
        }  # fmt: skip
    name = _text(lambda record: record.fields["name"])
    return common | ids | {
        "name": name,
        "operation": name,
        "duration": _duration,
        "status": _named("status", ("unset", "ok", "error")),
        "status_message": _text(lambda record: record.fields["status_message"]),
        "kind": _named("kind", KINDS),
        "parent_span_id": _identifier("parent_span_id"),
        "event.name": _events,
    }  # fmt: skip
