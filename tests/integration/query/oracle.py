"""What a query means, said a second time and naively: over one record, in Python, without SQL."""

import operator
from decimal import Decimal
from typing import Any

import re2

from libs.common.query import Query, Signal
from libs.common.query.ast import And, Comparison, Exists, Not, Or, Text
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
        case Text(text):
            return any(text.lower() in found.lower() for found in _texts(record, signal))
        case Exists(key) | Comparison(key):
            field = _fields(signal).get(key.name) if key.kind == "name" else None
            if field is not None:
                return field(record, query)
            return _attribute(_value_of(key.name, key.kind, record), query)


def _texts(record: Sample, signal: Signal) -> list[str]:
    if signal is Signal.TRACES:
        return [record.fields["name"]]
    body = record.fields["body"]
    if body is ABSENT:
        return []
    return [str(item) for item in (body if isinstance(body, list) else [body])]


def _value_of(name: str, kind: str, record: Sample) -> Any:
    if kind != "resource" and name in record.attributes:
        return record.attributes[name]
    return record.resource.get(name, ABSENT)


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
    if isinstance(wanted, bool):
        return value is wanted or value == term.value.text
    if isinstance(wanted, int | float):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return compare(value, wanted)
        return term.operator == "=" and value == term.value.text
    return isinstance(value, str) and compare(value.encode(), wanted.encode())


def _literal(term: Comparison) -> Any:
    text = term.value.text
    if term.value.quoted:
        return text
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


def _text(value: Any) -> Any:
    def field(record: Sample, term: Comparison | Exists) -> bool:
        text = value(record)
        if isinstance(term, Exists):
            return text != ""
        if term.operator in {"=~", "!~"}:
            found = _found(term.value.text, text)
            return found if term.operator == "=~" else text != "" and not found
        return text == term.value.text if term.operator == "=" else text not in {"", term.value.text}

    return field


def _events(record: Sample, term: Comparison | Exists) -> bool:
    names = record.fields["events"]
    if isinstance(term, Exists):
        return bool(names)
    if term.operator in {"=", "!="}:
        found = term.value.text in names
    else:
        found = any(_found(term.value.text, name) for name in names)
    return found if term.operator in {"=", "=~"} else bool(names) and not found


def _body(record: Sample, term: Comparison | Exists) -> bool:
    body = record.fields["body"]
    if isinstance(term, Exists) or body is ABSENT:
        return isinstance(term, Exists) and body is not ABSENT
    if not isinstance(body, str):
        return term.operator in {"!=", "!~"}
    found = body == term.value.text if term.operator in {"=", "!="} else _found(term.value.text, body)
    return found == (term.operator in {"=", "=~"})


def _identifier(name: str) -> Any:
    def field(record: Sample, term: Comparison | Exists) -> bool:
        value = record.fields[name].hex()
        if isinstance(term, Exists):
            return value != ""
        same = value == term.value.text.lower()
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
    number = record.fields["severity"]
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
