"""Bring control stores to the schema of this release: Alembic, a folder of revisions per service.

`services/<name>/control/versions/v0001_<what>.py` are ordinary Alembic revisions, forward only. There is no env.py and no
alembic.ini: what these would say is the same for all services and stands here. Apart from the store, because only setup
needs Alembic in memory.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.common.control_store.engine import DRIVER_ERRORS, has_no_schema, is_away, is_conflict, make_engine, writing
from libs.common.errors import ControlStoreUnavailable
from libs.common.settings import ControlSettings

SERVICES = Path(__file__).parents[3] / "services"
# Whoever comes second waits for the first; adding an index to a large audit log takes a while.
_LOCK_SECONDS = 120


class ControlMigrationFailed(Exception):
    """A revision was refused, or the store is ahead of this release. Nothing was changed; the message says what to do."""


def control_folders(services: Path = SERVICES) -> Mapping[str, Path]:
    """The folder of each service that has a control store, as far as services are installed here."""
    return {folder.parents[1].name: folder.parent for folder in sorted(services.glob("*/control/versions"))}


async def migrate_control(
    settings: ControlSettings,
    report: Callable[[str], None],
    folders: Mapping[str, Path] | None = None,
    *,
    dry_run: bool = False,
) -> int:
    """Apply what is pending for each service and return how many revisions that were; a dry run undoes them again.

    Several may run at once: the second waits, and finds nothing to do. Each service's revisions are one transaction.
    Raises ControlMigrationFailed, ControlStoreUnavailable.
    """
    applied = 0
    for service, folder in (control_folders() if folders is None else folders).items():
        patient = settings.model_copy(
            update={"lock_timeout_seconds": _LOCK_SECONDS, "timeout_seconds": 2 * _LOCK_SECONDS, "max_connections": 1}
        )
        engine = make_engine(patient, service)
        try:
            for revision in await _upgrade(engine, service, folder, dry_run=dry_run):
                report(f"{'pending' if dry_run else 'applied'} {service} {revision}")
                applied += 1
        except DRIVER_ERRORS as error:
            raise ControlStoreUnavailable(f"The control store does not answer: {error}") from error
        except PoolTimeout as error:
            raise ControlStoreUnavailable("The control store is busy.") from error
        except DBAPIError as error:
            if (is_away(error) or is_conflict(error)) and not has_no_schema(error):
                raise ControlStoreUnavailable(f"The control store does not answer: {error.orig}") from error
            raise ControlMigrationFailed(f"{service}: {error}") from error
        except CommandError as error:
            raise ControlMigrationFailed(
                f"{service}: {error}. The store may have been changed by a newer release; deploy that one, schemas do not go back."
            ) from error
        finally:
            await engine.dispose()
    return applied


async def _upgrade(engine: AsyncEngine, service: str, folder: Path, *, dry_run: bool) -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    # PostgreSQL at READ COMMITTED: who waited for its turn must see what the one before has done.
    async with (writing(engine) if engine.dialect.name == "sqlite" else engine).connect() as connection:
        transaction = await connection.begin()
        applied = await connection.run_sync(_upgrade_within, service, scripts)
        # Tried for real either way: what a dry run promises is then what happens.
        await (transaction.rollback() if dry_run else transaction.commit())
        return applied


def _upgrade_within(connection: Connection, service: str, scripts: ScriptDirectory) -> list[str]:
    """Runs in a transaction of the caller's; SQLite's is exclusive among writers from its start."""
    if connection.dialect.name == "postgresql":
        _take_turn(connection, service)
        known = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        if connection.execute(known, {"name": service}).first() is None:
            # Asked first, since IF NOT EXISTS wants the right to make schemas even where there is one.
            connection.exec_driver_sql(f'CREATE SCHEMA "{service}"')
    applied: list[str] = []
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda revision, _: scripts._upgrade_revs("head", revision),  # noqa: SLF001 - Alembic's own commands do the same
            "transactional_ddl": True,
            "on_version_apply": [lambda **about: applied.append(str(about["step"].up_revision_id))],
        },
    )
    with Operations.context(context):
        context.run_migrations()
    return applied


def _take_turn(connection: Connection, service: str) -> None:
    number = int.from_bytes(hashlib.sha256(f"airis {service}".encode()).digest()[:8], "big", signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
