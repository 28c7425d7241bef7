"""The same tests over fakes and over the real engines, so that the fakes can be trusted elsewhere."""

import time
from collections.abc import AsyncIterator

import pytest

from libs.common.redis_client import open_redis
from libs.common.settings import ClickHouseSettings, RedisSettings
from libs.common.testing import FakeClock
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import GatewayUnderTest, gateway_on_fakes, gateway_over, open_control_plane


@pytest.fixture(params=["fakes", "engines"])
def engines(request: pytest.FixtureRequest) -> tuple[ClickHouseSettings, RedisSettings] | None:
    """Where the engines listen; None for fakes. Not async, so that fakes do not start engines."""
    if request.param == "fakes":
        return None
    return request.getfixturevalue("clickhouse_settings"), request.getfixturevalue("redis_settings")


@pytest.fixture
def gateway_settings() -> GatewaySettings:
    """What a test may parametrize."""
    return GatewaySettings()


@pytest.fixture
async def gateway(
    engines: tuple[ClickHouseSettings, RedisSettings] | None, gateway_settings: GatewaySettings
) -> AsyncIterator[GatewayUnderTest]:
    """A gateway without tenants, users or keys."""
    if engines is None:
        async with gateway_on_fakes(gateway_settings) as running:
            yield running
        return
    clickhouse_settings, redis_settings = engines
    # Today's time, because the audit log drops what is over a year old.
    clock = FakeClock(time.time_ns())
    async with (
        open_control_plane(clickhouse_settings) as clickhouse,
        open_redis(redis_settings) as redis,
        gateway_over(clickhouse=clickhouse, redis=redis, clock=clock, gateway=gateway_settings) as running,
    ):
        yield running
