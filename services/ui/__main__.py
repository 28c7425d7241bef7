"""`python -m services.ui api`."""

import asyncio
from collections.abc import Mapping

from libs.common.roles import Role, RoleFactory, run_from_command_line
from libs.common.web.server import serve
from services.ui.app import create_app
from services.ui.settings import UiSettings


def api() -> Role:
    """The UI on AIRIS_UI_HOST and AIRIS_UI_PORT. Raises InvalidSettings."""
    settings = UiSettings()

    async def run(stop: asyncio.Event) -> None:
        await serve(create_app(settings), settings.host, settings.port, stop)

    return run


ROLES: Mapping[str, RoleFactory] = {"api": api}

if __name__ == "__main__":
    run_from_command_line("ui", ROLES)
