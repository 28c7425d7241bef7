"""What the receiver depends on, and where the real ones come from."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from libs.common.auth.api_keys import ApiKeyStore
from libs.common.bus import BusMetrics, open_producer
from libs.common.bus.protocol import Producer
from libs.common.clickhouse import open_clickhouse
from libs.common.clock import Clock
from libs.common.settings import BusSettings, ClickHouseSettings
from libs.common.web.health import Check
from services.ingestion.receivers.admission import KeyStore


class Connections(NamedTuple):
    """What the receiver depends on. Without the key store it goes on with the keys it knows."""

    keys: KeyStore
    check_keys: Check
    producer: Producer


Connect = Callable[[CollectorRegistry], AbstractAsyncContextManager[Connections]]


def connecting(bus: BusSettings, store: ClickHouseSettings, clock: Clock) -> Connect:
    """How to get the real ones, which report their metrics to the registry."""

    @asynccontextmanager
    async def connect(registry: CollectorRegistry) -> AsyncIterator[Connections]:
        async with (
            open_clickhouse(store, registry=registry, clock=clock) as clickhouse,
            open_producer(bus, clock, metrics=BusMetrics(registry)) as producer,
        ):
            yield Connections(ApiKeyStore(clickhouse, clock), clickhouse.check, producer)

    return connect
