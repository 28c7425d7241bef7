"""The same tests on SQLite with a Redis in memory, and on PostgreSQL with a real one."""

import time
from collections.abc import AsyncIterator

import pytest

from libs.common.redis_client import open_redis
from libs.common.settings import ControlSettings, RedisSettings
from libs.common.testing import FakeClock
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import (
    ControlUnderTest,
    GatewayUnderTest,
    gateway_on_fakes,
    gateway_over,
    migrate_gateway,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest) -> tuple[ControlSettings, RedisSettings] | None:
    """Where the engines listen; None for SQLite and memory. Not async, so that these start no engines."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres_control"), request.getfixturevalue("redis_settings")


@pytest.fixture
def gateway_settings() -> GatewaySettings:
    """What a test may parametrize."""
    return GatewaySettings()


@pytest.fixture
async def gateway(
    engines: tuple[ControlSettings, RedisSettings] | None, gateway_settings: GatewaySettings
) -> AsyncIterator[GatewayUnderTest]:
    """A gateway without tenants, users or keys."""
    if engines is None:
        async with gateway_on_fakes(gateway_settings) as running:
            yield running
        return
    control_settings, redis_settings = engines
    clock = FakeClock(time.time_ns())
    await migrate_gateway(control_settings)
    store = ControlUnderTest.over(control_settings, clock)
    try:
        async with (
            open_redis(redis_settings) as redis,
            gateway_over(store=store, redis=redis, clock=clock, gateway=gateway_settings) as running,
        ):
            yield running
    finally:
        await store.close()
