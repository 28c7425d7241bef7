"""One Redis, its scripts, and its failures in our terms."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

# What a lost connection, a restart, or a stall looks like; the same call may succeed a moment later.
TRANSIENT = (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError)
# The same from a server that answers; found anywhere in the text, because a script's errors come wrapped.
_TRANSIENT_REPLIES = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "LOADING", "MISCONF", "BUSY ")
# Redis has reached maxmemory.
OUT_OF_MEMORY = "OOM "

Argument = bytes | str | int


def topic_key(topic: str) -> str:
    """KEYS[1] of every script."""
    return f"airis:bus:{{{topic}}}"


class Script:
    """A Lua script behind the prelude, called by its hash."""

    def __init__(self, name: str) -> None:
        folder = files("libs.common.bus.redis_streams") / "scripts"
        self.source = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name))
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def command(self, topic: str, arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        return ("EVALSHA", self.sha, 1, topic_key(topic), *arguments)


@cache
def script(name: str) -> Script:
    """The script scripts/<name>.lua."""
    return Script(name)


class RedisBus:
    """Runs scripts and commands. A call is tried once; who calls knows whether it may be repeated."""

    def __init__(self, client: Redis, settings: BusSettings) -> None:
        self.client = client
        self._settings = settings

    async def run(self, name: str, topic: str, *arguments: Argument) -> Any:
        """A script's answer. Raises BusUnavailable, or ResponseError for the errors that the script names."""
        called = script(name)
        with unavailable_when_away():
            try:
                return await self._execute(*called.command(topic, arguments))
            except NoScriptError:  # first use, or Redis has restarted
                await self.client.script_load(called.source)
                return await self._execute(*called.command(topic, arguments))

    async def _execute(self, *command: Argument) -> Any:
        return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here

    async def check(self) -> None:
        """Raises BusUnavailable when Redis does not answer or would lose confirmed records."""
        with unavailable_when_away():
            await self._execute("PING")
            if self._settings.require_durable:
                await self._check_durable()

    async def _check_durable(self) -> None:
        try:
            names = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
            config = {name: (await self.client.config_get(name)).get(name, "") for name in names}
        except (NoPermissionError, ResponseError):
            log.warning("bus_durability_unknown", reason="Redis does not show its configuration")
            return
        wrong = [f"{name} {wanted}" for name, wanted in _DURABLE.items() if config[name] != wanted]
        if config["maxmemory"] != "0" and config["maxmemory-policy"] != "noeviction":
            wrong.append("maxmemory-policy noeviction")
        if wrong:
            raise BusUnavailable(
                f"Redis would lose confirmed records. Set {', '.join(wrong)}, or AIRIS_BUS_REQUIRE_DURABLE=false"
            )


_DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@asynccontextmanager
async def connect(settings: BusSettings) -> AsyncIterator[RedisBus]:
    """A client that connects when first used; so a service starts while Redis is away."""
    client = Redis.from_url(
        settings.url,
        protocol=2,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=min(settings.timeout_seconds, 3.0),
        socket_read_size=1024**2,
        # A repeated append is safe, a repeated heartbeat is not wanted: each caller repeats by its own rule.
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield RedisBus(client, settings)
    finally:
        await client.aclose()


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Failures of Redis as BusUnavailable; the errors that our scripts name stay ResponseError."""
    try:
        yield
    except TRANSIENT as error:
        raise BusUnavailable("The event bus does not answer. Retry later.") from error
    except ResponseError as error:
        if named_error(error) is not None:
            raise
        raise unavailable(error) from error
    except RedisError as error:
        raise BusUnavailable("The event bus failed. Retry later.") from error


_NAMED = ("FENCED", "NOPARTITION", "STALE")


def named_error(error: ResponseError) -> str | None:
    """Which of our scripts' own errors this is, if it is one that callers handle."""
    return next((name for name in _NAMED if str(error).startswith(name)), None)


def unavailable(error: ResponseError) -> BusUnavailable:
    """What a refusal by Redis means to who wants to send or commit."""
    text = str(error)
    if text.startswith("FULL") or OUT_OF_MEMORY in text or isinstance(error, OutOfMemoryError):
        return BusUnavailable("The event bus is full: its readers are behind. Retry later.", retry_after=5)
    if text.startswith("NOTOPIC"):
        return BusUnavailable(
            "The event bus has no such topic; run the migration, which declares topics.", retry_after=5
        )
    log.error("bus_refused", error=text)
    return BusUnavailable("The event bus refused. Retry later.")


def is_transient_reply(error: ResponseError) -> bool:
    """Whether the same call may succeed soon."""
    return isinstance(error, (ReadOnlyError, ClusterError, TryAgainError)) or any(
        word in str(error) for word in _TRANSIENT_REPLIES
    )
