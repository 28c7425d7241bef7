"""Take over, once, what the version before kept in ClickHouse: tenants, users, keys and the whole audit log.

The old tables are read and left as they are for one release, so that the version before can be started again; it would not
know what has changed meanwhile.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.clickhouse import ClickHouse, load_statements
from libs.common.clock import Clock
from libs.common.control_store import ControlStore, insert_if_absent
from services.api_gateway.control.tables import (
    API_KEY_USES,
    API_KEYS,
    AUDIT_LOG,
    IMPORTS,
    KEY_FEED,
    TENANTS,
    USERS,
)
from services.api_gateway.repository import AuditEvent, audit_row

NAME = "clickhouse"
PAGE_ROWS = 5_000

Rows = list[dict[str, Any]]
Progress = tuple[int, str, bool]  # the last record's time and hash, and whether that was all


async def import_from_clickhouse(
    clickhouse: ClickHouse,
    store: ControlStore,
    clock: Clock,
    report: Callable[[str], None],
    *,
    page_rows: int = PAGE_ROWS,
) -> int:
    """Import what is not imported yet; how many audit records that were.

    May be cut off anywhere and run again, by several at once too: how far it is stands in the transaction of what it did.
    Raises StoreUnavailable, ControlStoreUnavailable.
    """
    begun = await store.read("import.progress", _progress)
    if begun is not None and begun[2]:
        return 0
    statements = load_statements("services.api_gateway")
    if begun is None:
        tenants, users, keys = [
            await clickhouse.query(statements[f"legacy_{name}"], {}) for name in ("tenants", "users", "api_keys")
        ]
        now = clock.now_ns()
        await store.write("import", lambda session: _people_and_keys(session, tenants, users, keys, now))
        if users or keys:
            report(f"took over {len(users)} users and {len(keys)} API keys")
    progress: Progress = begun or (-1, "0", False)
    total = 0
    while not progress[2]:
        after = {"after_time": progress[0], "after_hash": int(progress[1]), "page": page_rows}
        rows = await clickhouse.query(statements["legacy_audit_events"], after)
        taken, progress = await store.write("import.audit", partial(_audit_page, known=progress, rows=rows))
        total += taken
    if total:
        report(f"took over {total} records of the audit log")
    return total


async def _progress(session: AsyncSession) -> Progress | None:
    row = (await session.execute(select(IMPORTS).where(IMPORTS.c.name == NAME))).first()
    return None if row is None else (row.cursor_time, row.cursor_hash, row.done)


async def _people_and_keys(session: AsyncSession, tenants: Rows, users: Rows, keys: Rows, now: int) -> None:
    if await _progress(session) is not None:
        return
    named = {
        row["id"]: {"id": row["id"], "name": row["name"], "created_at": row["created_at_unix_nano"]} for row in tenants
    }
    for row in (*users, *keys):  # nothing held the version before to a tenant that exists
        named.setdefault(row["tenant"], {"id": row["tenant"], "name": row["tenant"], "created_at": now})
    await insert_if_absent(session, TENANTS, list(named.values()))
    await insert_if_absent(
        session,
        USERS,
        [
            {
                "id": row["id"],
                "email": row["email"],
                "tenant": row["tenant"],
                "roles": json.dumps(sorted(row["roles"])),
                "password_hash": row["password_hash"],
                "password_chosen": False,  # there was no way to choose one
                "disabled": bool(row["disabled"]),
                "session_epoch": 0,
                "created_at": row["created_at_unix_nano"],
                "version": 1,
            }
            for row in users
        ],
    )
    change = await session.scalar(update(KEY_FEED).values(version=KEY_FEED.c.version + 1).returning(KEY_FEED.c.version))
    await insert_if_absent(
        session,
        API_KEYS,
        [
            {
                "key_id": row["key_id"],
                "tenant": row["tenant"],
                "name": row["name"],
                "scopes": json.dumps(sorted(row["scopes"])),
                "key_hash": row["key_hash"],
                "created_by": row["created_by"],
                "created_at": row["created_at_unix_nano"],
                "revoked_at": row["revoked_at_unix_nano"] or None,
                "change": change,
            }
            for row in keys
        ],
    )
    uses = [{"key_id": row["key_id"], "last_used_seconds": row["last_used_at"]} for row in keys if row["last_used_at"]]
    await insert_if_absent(session, API_KEY_USES, uses)
    await session.execute(insert(IMPORTS).values(name=NAME, cursor_time=-1, cursor_hash="0", rows=0, done=False))


async def _audit_page(session: AsyncSession, *, known: Progress, rows: Rows) -> tuple[int, Progress]:
    progress = await _progress(session)
    assert progress is not None, "the first step wrote it"
    if progress != known:
        return 0, progress  # another one was faster
    following = (rows[-1]["time_unix_nano"], rows[-1]["hash"], False) if rows else (*known[:2], True)
    if rows:
        await session.execute(
            insert(AUDIT_LOG),
            [
                audit_row(AuditEvent(*(row[name] for name in AuditEvent.__slots__)), row["time_unix_nano"])
                for row in rows
            ],
        )
    await session.execute(
        update(IMPORTS)
        .where(IMPORTS.c.name == NAME)
        .values(cursor_time=following[0], cursor_hash=following[1], done=following[2], rows=IMPORTS.c.rows + len(rows))
    )
    return len(rows), following
