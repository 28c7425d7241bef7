"""What the gateway does now and then: forget ended sessions and audit records that are past their time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from libs.common.clock import Clock
from libs.common.errors import AirisError
from services.api_gateway.repository import ControlPlane

EVERY_SECONDS = 3600.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def housekeeping(control_plane: ControlPlane, clock: Clock) -> AsyncIterator[None]:
    """Every hour until left. Several gateways may do it at once: what one dropped, the other does not find."""
    task = asyncio.create_task(_run(control_plane, clock), name="housekeeping")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(control_plane: ControlPlane, clock: Clock) -> None:
    while True:
        await clock.sleep(EVERY_SECONDS)
        try:
            while dropped := await control_plane.forget_what_is_over():
                log.info("forgot what is over", rows=dropped)
        except AirisError as error:
            log.warning("housekeeping put off", error=error.id)
