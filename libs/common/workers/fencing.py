"""Refusing what an old holder still writes, at the place that is written to.

In a control store, inside the very transaction whose writes it guards:

    FENCES = fences_table(metadata)                        # once, with the service's other tables

    async with engine.begin() as connection:
        await require_fence(connection, FENCES, "saga-runner", run.fence)
        await connection.execute(...)
"""

import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.workers.store import LeaseLost


def fences_table(metadata: sqlalchemy.MetaData) -> sqlalchemy.Table:
    """The table with the highest token each job has written with. Belongs into the service's own schema."""
    return sqlalchemy.Table(
        "worker_fences",
        metadata,
        sqlalchemy.Column("job", sqlalchemy.String(200), primary_key=True),
        sqlalchemy.Column("fence", sqlalchemy.BigInteger, nullable=False),
    )


async def require_fence(connection: AsyncConnection, fences: sqlalchemy.Table, job: str, fence: int) -> None:
    """Go on only when no later holder of the job's lease has written here. Raises LeaseLost.

    The row stays locked until the transaction ends, so that a later holder waits for what we write or we see that it was first.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(fences).values(job=job, fence=fence)
    statement = statement.on_conflict_do_update(
        index_elements=[fences.c.job],
        set_={"fence": statement.excluded.fence},
        where=fences.c.fence <= statement.excluded.fence,
    )
    written = await connection.execute(statement)
    if written.rowcount == 0:
        raise LeaseLost(job)
