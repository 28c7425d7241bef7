"""Put the gateway together. The only module that opens anything."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

from libs.common.auth.key_ring import KeyRing, KeyRingMetrics, open_key_ring
from libs.common.auth.passwords import Passwords
from libs.common.clock import Clock, SystemClock
from libs.common.control_store import open_control_store
from libs.common.redis_client import open_redis
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.raw_path import RawPathMiddleware
from services.api_gateway.allowed_hosts import AllowedHostsMiddleware
from services.api_gateway.dependencies import State, assemble
from services.api_gateway.housekeeping import housekeeping
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.password_check import PasswordCheck
from services.api_gateway.readiness import add_checks
from services.api_gateway.repository import ControlPlane
from services.api_gateway.response_headers import ResponseHeadersMiddleware
from services.api_gateway.routes import install_routes
from services.api_gateway.settings import Settings
from services.api_gateway.upstreams import NAMED_PREFIXES, open_upstreams


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The gateway's application; opens nothing before its lifespan."""
    clock, registry = clock or SystemClock(), CollectorRegistry()
    readiness = Readiness(clock)
    lifespan = partial(_run, settings, clock, registry, readiness)
    app = FastAPI(
        title="AIRIS-MON",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    # Added inside out: the web defaults last, so that they see every response with all its headers.
    app.add_middleware(RawPathMiddleware, prefixes=NAMED_PREFIXES)
    if settings.gateway.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.gateway.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(
        AllowedHostsMiddleware,
        allowed=settings.gateway.allowed_hosts,
        trusted_proxies=settings.gateway.trusted_networks,
    )
    app.add_middleware(ResponseHeadersMiddleware, transport_security=settings.gateway.secure_cookies)
    install_web_defaults(app, service="api_gateway", registry=registry, readiness=readiness, clock=clock, public=True)
    install_routes(app)
    return app


@asynccontextmanager
async def _run(
    settings: Settings, clock: Clock, registry: CollectorRegistry, readiness: Readiness, app: FastAPI
) -> AsyncIterator[State]:
    """Upstreams after the stores: a forwarded request that is cut off at the end has nothing left to ask a store."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_control_store(settings.control, "api_gateway", clock=clock, registry=registry)
        )
        redis = await stack.enter_async_context(open_redis(settings.redis))
        upstreams = await stack.enter_async_context(open_upstreams(settings.gateway))
        add_checks(readiness, store, redis, upstreams)
        control_plane = ControlPlane(store, clock)
        ring = KeyRing(control_plane, clock, metrics=KeyRingMetrics(registry), poll_seconds=settings.keys.poll_seconds)
        keys = await stack.enter_async_context(open_key_ring(ring))
        await stack.enter_async_context(housekeeping(control_plane, clock))
        parallel = settings.gateway.password_checks
        passwords = Passwords(parallel=parallel)
        password_check = PasswordCheck(passwords, parallel=parallel)
        await password_check.prepare()
        yield assemble(
            settings,
            clock=clock,
            metrics=GatewayMetrics(registry),
            control_plane=control_plane,
            keys=keys,
            redis=redis,
            upstreams=upstreams,
            passwords=passwords,
            password_check=password_check,
            own_description=app.openapi,
        )
