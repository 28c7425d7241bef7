"""Redis as cache and counter: bounded connections, short timeouts, errors as leaves of our tree."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from libs.common.errors import CacheUnavailable
from libs.common.settings import RedisSettings


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """A client whose replies are bytes. Connects on first use; a full pool waits as long as a reply may take."""
    pool = BlockingConnectionPool.from_url(
        settings.url,
        max_connections=settings.max_connections,
        timeout=settings.timeout_seconds,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.connect_timeout_seconds,
        health_check_interval=30,
        # One more try hides a connection the server closed while idle; more would hide an outage.
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.02), 1),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()


@contextmanager
def cache_errors() -> Iterator[None]:
    """Raise CacheUnavailable for Redis errors in the block."""
    try:
        yield
    except RedisError as error:
        raise CacheUnavailable("The cache did not answer.") from error


async def check_redis(client: Redis) -> None:
    """Readiness: PING. Raises CacheUnavailable."""
    with cache_errors():
        await client.ping()
