"""A logical plan: rows of a source, filtered, grouped, aggregated, held against thresholds, ordered and cut; and its SQL.

Every part is SQL of ours over columns of the source; what a caller wrote is in `parameters`. One plan is one statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# A value may be in one of several maps; without this, terms joined by OR prune nothing, whichever indexes each has.
SETTINGS = "\nSETTINGS use_skip_indexes_for_disjunctions = 1"


@dataclass(frozen=True, slots=True)
class Column:
    """An expression and the name that it has in the result."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`source` is a table or a relation in parentheses; `joins` follow it. Columns of `groups` come before `aggregates`."""

    source: str
    where: Sequence[str]
    groups: Sequence[Column] = ()
    aggregates: Sequence[Column] = ()
    joins: Sequence[str] = ()
    having: Sequence[str] = ()
    order: Sequence[str] = ()
    limit: int | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def sql(self) -> str:
        """The statement."""
        columns = [f"{column.sql} AS {column.name}" for column in (*self.groups, *self.aggregates)]
        clauses = [
            f"SELECT {', '.join(columns)}",
            " ".join((f"FROM {self.source}", *self.joins)),
            f"WHERE {' AND '.join(self.where)}" if self.where else "",
            f"GROUP BY {', '.join(column.name for column in self.groups)}" if self.groups and self.aggregates else "",
            f"HAVING {' AND '.join(self.having)}" if self.having else "",
            f"ORDER BY {', '.join(self.order)}" if self.order else "",
            f"LIMIT {self.limit}" if self.limit is not None else "",
        ]
        return "\n".join(clause for clause in clauses if clause) + SETTINGS
