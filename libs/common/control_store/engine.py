"""The two engines behind the control store, set up so that the same transaction means the same on both."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.common.settings import ControlSettings

# What drivers raise past SQLAlchemy when they cannot connect.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

_WRITES = "airis_writes"
# class 08 connection, 53 resources, 57P shutdown, 57014 statement timeout, 25P03 idle in transaction
_AWAY = ("08", "53", "57P", "57014", "25P03")
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})  # serialisation, deadlock, lock timeout
_UNIQUE = "23505"
_NO_SCHEMA = frozenset({"42P01", "3F000", "42703"})
_SQLITE_AWAY = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CORRUPT,
    }
)


def make_engine(settings: ControlSettings, service: str) -> AsyncEngine:
    """Connects on first use. On SQLite the directory and file are made, for their owner alone."""
    directory = settings.directory
    if directory is None:
        return _postgresql(settings, service)
    return _sqlite(settings, directory / f"{service}.sqlite3")


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that only read: one consistent state, no lock."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that write: serialisable, which on SQLite is one writer at a time."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_WRITES: True})
    return engine.execution_options(isolation_level="SERIALIZABLE")


def _sqlite(settings: ControlSettings, file: Path) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        pool_size=settings.max_connections,
        max_overflow=0,
        pool_timeout=settings.timeout_seconds,
    )

    def do_connect(*_: object) -> None:
        # Before SQLite makes it with the process's umask; its log and shared memory take the file's own rights.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours; the driver's comes late and is never IMMEDIATE
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {int(settings.lock_timeout_seconds * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",  # NORMAL loses the last commits of a WAL with the power: a revocation would be undone
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        # A transaction that reads first and asks for the lock later fails when another wrote in between.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    sync: Engine = engine.sync_engine
    event.listen(sync, "do_connect", do_connect)
    event.listen(sync, "connect", connect)
    event.listen(sync, "begin", begin)
    return engine


def _postgresql(settings: ControlSettings, service: str) -> AsyncEngine:
    def milliseconds(seconds: float) -> str:
        return str(int(seconds * 1000))

    return create_async_engine(
        make_url(settings.url.get_secret_value()).set(drivername="postgresql+asyncpg"),
        pool_size=settings.max_connections,
        max_overflow=0,
        pool_timeout=settings.timeout_seconds,
        pool_pre_ping=True,  # a server that was started again must not cost every pooled connection one failed request
        connect_args={
            "timeout": settings.connect_timeout_seconds,
            "command_timeout": settings.timeout_seconds,
            "server_settings": {
                "application_name": f"airis {service}",
                "search_path": service,
                "statement_timeout": milliseconds(settings.timeout_seconds),
                "lock_timeout": milliseconds(settings.lock_timeout_seconds),
                "idle_in_transaction_session_timeout": milliseconds(2 * settings.timeout_seconds),
            },
        },
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether the transaction did nothing and may be begun again."""
    state = _state(error)
    return state in _CONFLICTS or _sqlite_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_unique_violation(error: DBAPIError) -> bool:
    """Whether a row with this key is there already."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(error, IntegrityError) and (
        _state(error) == _UNIQUE or code in {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
    )


def is_away(error: DBAPIError) -> bool:
    """Whether the engine is at fault, and not the statement."""
    return error.connection_invalidated or _state(error).startswith(_AWAY) or _sqlite_code(error) in _SQLITE_AWAY


def has_no_schema(error: DBAPIError) -> bool:
    """Whether migrations have not run."""
    return _state(error) in _NO_SCHEMA or str(error.orig).startswith(("no such table", "no such column"))


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _sqlite_code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None  # the rest is detail
