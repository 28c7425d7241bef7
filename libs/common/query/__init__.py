"""The query language of traces, logs and metric series. Described in docs/query-language.md."""

from libs.common.query.ast import Comparison, Key, Query, Value, conjunction, quoted, to_text
from libs.common.query.compiler import Condition, ResourceScope, Signal, compile_query, fallback_keys
from libs.common.query.parser import parse, parse_key

__all__ = [
    "Comparison",
    "Condition",
    "Key",
    "Query",
    "ResourceScope",
    "Signal",
    "Value",
    "compile_query",
    "conjunction",
    "fallback_keys",
    "parse",
    "parse_key",
    "quoted",
    "to_text",
]
