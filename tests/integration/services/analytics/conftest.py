"""The whole service in this process, on a real store and a real cache, at a time of the test's choosing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from google.protobuf.message import Message
from pydantic import SecretStr

from libs.common.auth.identity import IDENTITY_HEADER, Identity, sign_identity
from libs.common.clickhouse import ClickHouse
from libs.common.settings import IdentitySettings, RedisSettings
from libs.common.testing import FakeClock
from services.analytics.app import create_app
from services.analytics.settings import AnalyticsSettings, Settings
from tests.fixtures.telemetry import create_schema, store

NOW = 1_700_000_000_000_000_000
SECRET = SecretStr("a secret of the tests, 32 bytes long or more")


@dataclass
class Analytics:
    """The service's API as a tenant sees it, and a way to fill the store."""

    client: httpx.AsyncClient
    clickhouse: ClickHouse
    clock: FakeClock

    async def get(self, path: str, *, tenant: str = "t1", **parameters: Any) -> httpx.Response:
        """`from_` stands for the parameter `from`."""
        query = {name.rstrip("_"): value for name, value in parameters.items() if value is not None}
        return await self.client.get(path, params=query, headers=self.headers(tenant))

    async def ask(self, path: str, *, tenant: str = "t1", **parameters: Any) -> Any:
        """The answer; fails with the problem document if there is none."""
        response = await self.get(path, tenant=tenant, **parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def headers(self, tenant: str, scopes: frozenset[str] = frozenset({"read"})) -> dict[str, str]:
        identity = Identity("user:1", tenant, frozenset(), scopes)
        return {IDENTITY_HEADER: sign_identity(identity, SECRET, self.clock, audience="analytics")}

    async def store(self, *requests: Message, tenant: str = "t1", partition: int = 0, first_offset: int = 0) -> None:
        await store(
            self.clickhouse,
            requests,
            received_at=self.clock.now_ns(),
            tenant=tenant,
            partition=partition,
            first_offset=first_offset,
        )


@pytest.fixture
def analytics_settings() -> AnalyticsSettings:
    return AnalyticsSettings()


@pytest.fixture
async def analytics(
    clickhouse: ClickHouse, redis_settings: RedisSettings, analytics_settings: AnalyticsSettings
) -> AsyncIterator[Analytics]:
    await create_schema(clickhouse)
    clock = FakeClock(NOW)
    settings = Settings(
        identity=IdentitySettings(secret=SECRET),
        analytics=analytics_settings,
        clickhouse=clickhouse.settings,
        redis=redis_settings,
    )
    app = create_app(settings, clock=clock)
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://analytics") as client:
            yield Analytics(client, clickhouse, clock)
