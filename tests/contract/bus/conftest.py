"""Every test here runs on every transport."""

from collections.abc import Callable

import pytest

from libs.common.settings import BusSettings
from tests.contract.bus.harness import KafkaTransport, MemoryTransport, RedisTransport, Transport

# Short, so that tests need not wait long for the dead to be noticed.
SHORT = {"timeout_seconds": 8.0, "session_timeout_seconds": 2.0, "max_record_bytes": 2**20}

REAL = {
    "redis": "own_redis_server",
    "kafka": "kafka_cluster",
    "redis container": "redis_container",
    "kafka container": "kafka_container",
}


# The first test with a container may have to build its image.
SLOW = [pytest.param(name, marks=pytest.mark.timeout(900)) for name in ("redis container", "kafka container")]


@pytest.fixture(params=["memory", "redis", "kafka", *SLOW])
def make_bus(request: pytest.FixtureRequest) -> Callable[..., Transport]:
    """Make a transport with these settings."""

    def make(**settings: object) -> Transport:
        values = SHORT | settings
        if request.param == "memory":
            return MemoryTransport(BusSettings(**values))
        real = request.getfixturevalue(REAL[request.param])
        transport = RedisTransport if "redis" in request.param else KafkaTransport
        return transport(BusSettings(url=real.url, **values), real)

    return make


@pytest.fixture
def bus(make_bus: Callable[..., Transport]) -> Transport:
    return make_bus()
