"""What the receiver depends on, and where the real ones come from."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from libs.common.auth.key_feed import open_key_feed
from libs.common.bus import BusMetrics, open_producer
from libs.common.bus.protocol import Producer
from libs.common.clock import Clock
from libs.common.settings import BusSettings, KeyFeedSettings
from libs.common.web.health import Check
from services.ingestion.receivers.admission import KeyStore


class Connections(NamedTuple):
    """What the receiver depends on. Without the gateway it goes on with the keys it knows."""

    keys: KeyStore
    check_keys: Check
    producer: Producer


Connect = Callable[[CollectorRegistry], AbstractAsyncContextManager[Connections]]


def connecting(bus: BusSettings, feed: KeyFeedSettings, clock: Clock) -> Connect:
    """How to get the real ones, which report their metrics to the registry."""

    @asynccontextmanager
    async def connect(registry: CollectorRegistry) -> AsyncIterator[Connections]:
        async with (
            open_key_feed(feed, "ingestion", clock, registry=registry) as keys,
            open_producer(bus, clock, metrics=BusMetrics(registry)) as producer,
        ):
            yield Connections(keys, keys.check, producer)

    return connect
