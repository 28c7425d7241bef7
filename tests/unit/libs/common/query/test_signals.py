"""The registry of signals: every entry is whole, and the documentation says what it says."""

import os
from pathlib import Path

import pytest

from libs.common.query import SIGNALS, Signal, compile_query, parse
from libs.common.query.ast import Key
from libs.common.query.binding import Parameters
from libs.common.query.compiler import RecordCompiler, ResourceScope
from libs.common.query.signals import TRACE_FIELDS

DOCUMENT = Path(__file__).parents[5] / "docs" / "query-language.md"
SCOPE = ResourceScope("SELECT resource_fingerprint FROM resources WHERE true")
_UPDATE = os.environ.get("AIRIS_UPDATE_DOCS") == "1"
_BEGIN, _END = "<!-- fields: made by", "<!-- end -->"


def _table() -> str:
    lines = ["| signal | field | type | operators | |", "|---|---|---|---|---|"]
    sources = [(signal.value, SIGNALS[signal].fields) for signal in (Signal.SPANS, Signal.LOGS, Signal.METRICS)]
    for signal, fields in [*sources, ("traces", TRACE_FIELDS)]:
        for name, field in fields.items():
            values = f" {', '.join(field.names)}." if field.names else ""
            operators = " ".join(field.operators).replace("|", "\\|")
            unit = f" ({field.unit})" if field.unit else ""
            lines.append(f"| {signal} | `{name}` | {field.type}{unit} | `{operators}` | {field.description}{values} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_lists_every_field() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    heading, _, rest = rest.partition("-->\n")
    _, _, after = rest.partition(_END)
    wanted = f"{before}{_BEGIN}{heading}-->\n{_table()}{_END}{after}"
    if _UPDATE and text != wanted:
        DOCUMENT.write_text(wanted, encoding="utf-8")
    assert text == wanted, "AIRIS_UPDATE_DOCS=1 writes the table"


@pytest.mark.parametrize("signal", Signal)
def test_an_entry_is_whole(signal: Signal) -> None:
    definition = SIGNALS[signal]
    assert "{tenant:String}" in definition.window()
    assert set(definition.listing) <= definition.fields.keys()
    for name, field in definition.fields.items():
        assert field.description.endswith(".")
        assert field.exists(Parameters())
        if field.listed or name in definition.listing:
            assert field.tagged() is not None
        if field.number() is not None:
            assert RecordCompiler(definition, SCOPE).number(Key(name))[0] == field.number()
        if "=" in field.operators:
            value = {"duration": "1s", "enum": "error" if "error" in field.names else "server", "id": "ab" * 8,
                     "severity": "warn", "number": "5"}.get(field.type, "x")  # fmt: skip
            assert compile_query(parse(f"{name}={value}"), signal, SCOPE).sql
