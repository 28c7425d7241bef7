"""`python -m services.api_gateway.setup`: schema, topics, first tenant. Idempotent; every deployment runs it before services start."""

import asyncio
import sys
from pathlib import Path

from pydantic import Field, SecretStr

from libs.common.auth.key_ring import KeyRing
from libs.common.bus import ensure_topics, load_declarations
from libs.common.clickhouse import open_clickhouse
from libs.common.clickhouse.carrying import Carrier
from libs.common.clickhouse.migrations import MigrationFailed, MigrationRefused, migrate
from libs.common.clock import Clock, SystemClock
from libs.common.control_store import open_control_store
from libs.common.control_store.migrations import ControlMigrationFailed, migrate_control
from libs.common.errors import Unavailable
from libs.common.settings import (
    BusSettings,
    ClickHouseSettings,
    ControlSettings,
    InvalidSettings,
    ServiceSettings,
    SettingsGroup,
    environment,
)
from libs.common.structured_logging import configure_logging
from services.api_gateway.bootstrap import InvalidBootstrap, bootstrap
from services.api_gateway.legacy_import import import_from_clickhouse
from services.api_gateway.repository import ControlPlane

SCHEMA = Path(__file__).parents[2] / "schema" / "clickhouse"
MIGRATIONS = SCHEMA / "migrations"
# In the output: rows of before are there to be read, and wait to be carried into the new tables by `airis migrate`.
WAITING = "to carry over"


class SetupSettings(SettingsGroup):
    """Whom and what the installation starts with."""

    model_config = environment("AIRIS_")

    tenant: str = "default"
    admin_email: str
    admin_password: SecretStr
    api_key: SecretStr
    # Where receivers on this machine look for keys when they start (AIRIS_KEYS_SNAPSHOT): with it they need not wait for us.
    keys_snapshot: str = ""
    # Engines that were started together with us may take a while.
    setup_patience_seconds: float = Field(default=60.0, ge=0, le=600)


async def set_up(
    setup: SetupSettings, store: ClickHouseSettings, control: ControlSettings, bus: BusSettings, clock: Clock
) -> None:
    """Migrate, declare topics, take over what the version before kept, bootstrap, hand the keys to local receivers.

    Raises what these raise; StoreUnavailable, ControlStoreUnavailable and BusUnavailable after the patience.
    """
    deadline = clock.monotonic() + setup.setup_patience_seconds
    while True:
        try:
            async with open_clickhouse(store, database="") as clickhouse:
                await migrate(clickhouse, MIGRATIONS, report=_say, clock=clock)
                if waiting := await Carrier(clickhouse, SCHEMA / "carrying", _say).prepare():
                    _say(f"{waiting:,} rows {WAITING}")
            await migrate_control(control, _say)
            await ensure_topics(bus, load_declarations())
            async with (
                open_clickhouse(store) as clickhouse,
                open_control_store(control, "api_gateway", clock=clock) as control_store,
            ):
                await import_from_clickhouse(clickhouse, control_store, clock, _say)
                await bootstrap(
                    control_store,
                    clock,
                    tenant=setup.tenant,
                    admin_email=setup.admin_email,
                    admin_password=setup.admin_password.get_secret_value(),
                    api_key=setup.api_key.get_secret_value(),
                )
                if setup.keys_snapshot:
                    snapshot = Path(setup.keys_snapshot)
                    await KeyRing(ControlPlane(control_store, clock), clock, snapshot=snapshot).refresh()
        except Unavailable as error:
            if clock.monotonic() > deadline:
                raise
            _say(f"waiting: {error.detail}")
            await clock.sleep(1.0)
        else:
            return


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Exit 0 done, 1 failed, 2 misconfigured."""
    configure_logging(ServiceSettings())
    try:
        asyncio.run(set_up(SetupSettings(), ClickHouseSettings(), ControlSettings(), BusSettings(), SystemClock()))  # type: ignore[call-arg]
    except InvalidSettings as error:
        sys.stderr.write(f"setup cannot start, its settings are not valid: {error}\n")
        sys.exit(2)
    except (MigrationFailed, MigrationRefused, ControlMigrationFailed, InvalidBootstrap, Unavailable) as error:
        sys.stderr.write(f"setup failed: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
