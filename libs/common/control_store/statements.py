"""The one statement that both engines have and SQLAlchemy spells per engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


async def insert_if_absent(session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows of which no unique constraint has one already; columns by name, the same ones in every row."""
    if not rows:
        return
    dialect = session.get_bind().dialect.name
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    await session.execute(make(table).on_conflict_do_nothing(), [dict(row) for row in rows])
