"""Serve an application until told to stop, and stop without losing a request."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from libs.common.web.http_protocol import BoundedHttpProtocol

log = structlog.get_logger(__name__)

# Below the process's drain timeout, so that the lifespan has time to close after the last request.
GRACEFUL_SECONDS = 20
# Longer than clients keep a connection they do not use (5 to 60 s), so that it is the client that closes it: a request sent
# into a connection that the server closes at that moment is lost. Batching exporters pause for exactly uvicorn's default.
KEEP_ALIVE_SECONDS = 75
# Browsers and proxies stop at 8 to 16 KiB a header.
MAX_HEAD_BYTES = 64 * 1024


class StartFailed(Exception):
    """The address cannot be bound, or the lifespan raised; the log holds the cause."""


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: several servers share a process and `libs.common.roles` owns the signals."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    listening: asyncio.Future[int] | None = None,
    max_head_bytes: int = MAX_HEAD_BYTES,
) -> None:
    """Accept until `stop` is set, finish requests in flight (at most 20 s), then let the lifespan close.

    Requests refused before the application sees them are told to its `state.count_refused`, where it has one.

    `listening` gets the bound port once requests are accepted (useful with port 0). Raises StartFailed.
    """
    listener = _bind(host, port)

    def on_listening() -> None:
        bound = listener.getsockname()[1]
        log.info("listening", host=host, port=bound)
        if listening is not None and not listening.done():
            listening.set_result(bound)

    refused = getattr(getattr(app, "state", None), "count_refused", None)
    protocol: Any = partial(BoundedHttpProtocol, max_head_bytes=max_head_bytes, refused=refused)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # our middleware writes a better line
        server_header=False,
        proxy_headers=False,  # a client must not choose the address we log
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = _Server(config, on_listening)
    with listener:
        stopper = asyncio.create_task(_stop_with(server, stop), name="server-stopper")
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            await _abandon(server)
            raise
        except SystemExit as error:  # uvicorn's word for a failed lifespan; it must not end our other roles unheard
            raise StartFailed("the application could not start; the log has the reason") from error
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)


async def _abandon(server: uvicorn.Server) -> None:
    """The drain is over: drop the requests that are left, but let the lifespan close what it opened."""
    if not server.started:
        return
    for listening in server.servers:
        listening.close()
    for task in server.server_state.tasks:
        task.cancel()
    await server.lifespan.shutdown()


async def _stop_with(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it small answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartFailed(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener
