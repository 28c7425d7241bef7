"""`python -m services.api_gateway api`."""

import asyncio
from collections.abc import Mapping

from libs.common.roles import Role, RoleFactory, run_from_command_line
from libs.common.web.server import serve
from services.api_gateway.app import create_app
from services.api_gateway.settings import Settings


def api() -> Role:
    """The gateway on AIRIS_GATEWAY_HOST and _PORT, its metrics on _ADMIN_HOST and _ADMIN_PORT. Raises InvalidSettings."""
    settings = Settings.from_environment()

    async def run(stop: asyncio.Event) -> None:
        gateway, app = settings.gateway, create_app(settings)
        async with asyncio.TaskGroup() as servers:
            servers.create_task(serve(app, gateway.host, gateway.port, stop))
            servers.create_task(serve(app.state.operations, gateway.admin_host, gateway.admin_port, stop))

    return run


ROLES: Mapping[str, RoleFactory] = {"api": api}

if __name__ == "__main__":
    run_from_command_line("api_gateway", ROLES)
