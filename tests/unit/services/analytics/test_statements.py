"""What every statement of analytics owes the store: a tenant and a range for each table that it reads."""

import re

import pytest

from libs.common.clickhouse import Statement, load_statements

STATEMENTS = load_statements("services.analytics")
# Tables that bound time by their own nature, with the reason.
WITHOUT_RANGE = {"trace_index": "is asked by trace id, to find the range; its sort key begins with tenant and trace id"}
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+|\{table:Identifier\})", re.IGNORECASE)
_TENANT = "tenant = {tenant:String}"
_LOWER = re.compile(r"\b(?:time|day|last_time) >= ")
_UPPER = re.compile(r"\b(?:time|day|first_time) <=? ?")


def reads(statement: Statement) -> list[str]:
    """The tables in it, without the names it gives to its own parts."""
    own = set(re.findall(r"\b(\w+) AS \(", statement.sql))
    code = re.sub(r"--[^\n]*", "", statement.sql)
    return [table for table in _TABLE.findall(code) if table not in own]


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_tenant_is_bound_for_each_table(name: str) -> None:
    statement = STATEMENTS[name]
    assert len(reads(statement)) > 0
    assert statement.sql.count(_TENANT) == len(reads(statement))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_time_range_is_bound_for_each_table(name: str) -> None:
    statement = STATEMENTS[name]
    ranged = [table for table in reads(statement) if table not in WITHOUT_RANGE]
    assert len(_LOWER.findall(statement.sql)) >= len(ranged)
    assert len(_UPPER.findall(statement.sql)) >= len(ranged)
