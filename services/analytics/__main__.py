"""`python -m services.analytics api`."""

import asyncio
from collections.abc import Mapping

from libs.common.roles import Role, RoleFactory, run_from_command_line
from libs.common.web.server import serve
from services.analytics.app import create_app
from services.analytics.settings import Settings


def api() -> Role:
    """The API on AIRIS_ANALYTICS_HOST and AIRIS_ANALYTICS_PORT. Raises InvalidSettings."""
    settings = Settings.from_environment()

    async def run(stop: asyncio.Event) -> None:
        await serve(create_app(settings), settings.analytics.host, settings.analytics.port, stop)

    return run


ROLES: Mapping[str, RoleFactory] = {"api": api}

if __name__ == "__main__":
    run_from_command_line("analytics", ROLES)
