"""The cache client on a real redis-server."""

import asyncio

import pytest

from libs.common.errors import CacheUnavailable
from libs.common.redis_client import cache_errors, check_redis, open_redis
from libs.common.settings import RedisSettings
from libs.common.testing import free_port


async def test_values_are_bytes_and_survive_the_client(redis_settings: RedisSettings) -> None:
    async with open_redis(redis_settings) as client:
        await check_redis(client)
        await client.set("key", b"\x00\xff")
    async with open_redis(redis_settings) as client:
        assert await client.get("key") == b"\x00\xff"


async def test_more_callers_than_connections_wait_their_turn(redis_settings: RedisSettings) -> None:
    narrow = redis_settings.model_copy(update={"max_connections": 2})
    async with open_redis(narrow) as client:
        await asyncio.gather(*(client.incr("count") for _ in range(50)))
        assert await client.get("count") == b"50"


async def test_a_server_that_is_away_is_cache_unavailable() -> None:
    settings = RedisSettings(url=f"redis://127.0.0.1:{free_port()}/0", connect_timeout_seconds=0.5)
    async with open_redis(settings) as client:
        with pytest.raises(CacheUnavailable):
            await check_redis(client)


async def test_a_server_that_never_answers_is_cache_unavailable_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = RedisSettings(url=f"redis://127.0.0.1:{port}/0", timeout_seconds=0.2)
        async with asyncio.timeout(5):
            async with open_redis(settings) as client:
                with pytest.raises(CacheUnavailable), cache_errors():
                    await client.get("key")
