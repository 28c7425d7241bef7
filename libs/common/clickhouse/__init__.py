"""The store: client, statements in files, migrations."""

from libs.common.clickhouse.client import Answer, ClickHouse, StoreMetrics, open_clickhouse
from libs.common.clickhouse.statements import InvalidStatement, Statement, Statements, load_statements, parse_statement

__all__ = [
    "Answer",
    "ClickHouse",
    "InvalidStatement",
    "Statement",
    "Statements",
    "StoreMetrics",
    "load_statements",
    "open_clickhouse",
    "parse_statement",
]
