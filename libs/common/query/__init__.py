"""The query language: conditions, structured queries, and what they compile to. Described in docs/query-language.md."""

from libs.common.query.ast import Comparison, Key, Query, Value, conjunction, quoted, to_text
from libs.common.query.compiler import Condition, ResourceScope, compile_query, fallback_keys
from libs.common.query.parser import parse, parse_key
from libs.common.query.signals import SIGNALS, Signal, SignalDefinition

__all__ = [
    "SIGNALS",
    "Comparison",
    "Condition",
    "Key",
    "Query",
    "ResourceScope",
    "Signal",
    "SignalDefinition",
    "Value",
    "compile_query",
    "conjunction",
    "fallback_keys",
    "parse",
    "parse_key",
    "quoted",
    "to_text",
]
