"""Which path goes to which service, and the connections to them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal

import httpx

from services.api_gateway.settings import GatewaySettings

Service = Literal["analytics", "receiver", "ui"]
READ_METHODS = frozenset({"GET", "HEAD"})
# Below the 5 s after which uvicorn closes an idle connection, so that we never send into one being closed.
KEEPALIVE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Route:
    """Requests for `prefix`, or below it, go to `service`.

    `scope` is what a caller needs; None lets everybody through without an identity. `keeps_authorization` hands the
    client's own Authorization on, to a service that authenticates by itself. `documented` services have an /openapi.json.
    """

    prefix: str
    service: Service
    methods: frozenset[str]
    scope: Literal["read"] | None = None
    below: bool = True
    keeps_authorization: bool = False
    documented: bool = False

    @property
    def takes_names(self) -> bool:
        """Whether paths below it hold names of any kind, and are matched as they were written (raw_path.py)."""
        return self.below and self.service == "analytics"


ROUTES: tuple[Route, ...] = (
    *(
        Route(f"/api/v1/{name}", "analytics", READ_METHODS, scope="read", documented=True)
        for name in ("services", "service", "traces", "logs", "metrics", "metric", "attributes")
    ),
    Route("/api/v1/query", "analytics", READ_METHODS | {"POST"}, scope="read", below=False, documented=True),
    *(
        Route(f"/v1/{signal}", "receiver", frozenset({"POST", "OPTIONS"}), below=False, keeps_authorization=True)
        for signal in ("traces", "logs", "metrics")
    ),
    Route("/", "ui", READ_METHODS),
)


# Below these a path is matched as the client wrote it.
NAMED_PREFIXES = tuple(f"{route.prefix}/" for route in ROUTES if route.takes_names)


def route_of(path: str) -> Route | None:
    """The route that takes `path`, percent-decoded except where it holds names, as the upstream will see it."""
    return next((route for route in ROUTES if takes(route, path)), None)


def takes(route: Route, path: str) -> bool:
    """Whether `path` is the route's prefix or, segment-wise, below it."""
    return path == route.prefix or (route.below and path.startswith(route.prefix.rstrip("/") + "/"))


def base_urls(settings: GatewaySettings) -> Mapping[Service, str]:
    """Where each service listens."""
    return {"analytics": settings.analytics_url, "receiver": settings.receiver_url, "ui": settings.ui_url}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service and our connections to it."""

    service: Service
    base_url: httpx.URL
    client: httpx.AsyncClient


@asynccontextmanager
async def open_upstreams(settings: GatewaySettings) -> AsyncIterator[Mapping[Service, Upstream]]:
    """One bounded pool per service, until left."""
    timeout = httpx.Timeout(
        connect=settings.upstream_connect_timeout_seconds,
        read=settings.upstream_read_timeout_seconds,
        write=settings.upstream_read_timeout_seconds,
        # A full pool means that the service is slower than its callers; waiting longer would only move the queue here.
        pool=settings.upstream_connect_timeout_seconds,
    )
    limits = httpx.Limits(
        max_connections=settings.upstream_max_connections,
        max_keepalive_connections=settings.upstream_max_connections,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )
    async with AsyncExitStack() as stack:
        upstreams: dict[Service, Upstream] = {}
        for service, url in base_urls(settings).items():
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    timeout=timeout,
                    limits=limits,
                    # One client serves all callers: a jar would hand one caller's cookie to the next.
                    cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
                    follow_redirects=False,
                    # A proxy from the environment is for the outside, and must not see identities.
                    trust_env=False,
                )
            )
            upstreams[service] = Upstream(service, httpx.URL(url), client)
        yield upstreams
