"""Put the gateway together. The only module that knows every part."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from libs.common.redis_client import open_redis
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

from libs.common.auth.api_keys import ApiKeyStore
from libs.common.clickhouse import open_clickhouse
from libs.common.clock import Clock, SystemClock
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from services.api_gateway.dependencies import State
from services.api_gateway.gate import Gate
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.password_check import open_password_check
from services.api_gateway.product_description import ProductDescription
from services.api_gateway.rate_limit import Limit, RateLimiter
from services.api_gateway.readiness import add_checks
from services.api_gateway.redis_guard import RedisGuard
from services.api_gateway.repository import ControlPlane
from services.api_gateway.response_headers import ResponseHeadersMiddleware
from services.api_gateway.routes import install_routes
from services.api_gateway.sessions import Sessions
from services.api_gateway.settings import Settings
from services.api_gateway.sign_in import SignIn, SignInLimits
from services.api_gateway.upstreams import open_upstreams


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The gateway's application; opens nothing before its lifespan."""
    clock, registry = clock or SystemClock(), CollectorRegistry()
    readiness, metrics = Readiness(clock), GatewayMetrics(registry)
    lifespan = partial(_run, settings, clock, metrics, readiness)
    app = FastAPI(title="AIRIS-MON", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    # Added inside out: the web defaults last, so that they see every response with all its headers.
    if settings.gateway.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.gateway.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(ResponseHeadersMiddleware, transport_security=settings.gateway.secure_cookies)
    install_web_defaults(app, service="api_gateway", registry=registry, readiness=readiness, clock=clock)
    install_routes(app)
    return app


@asynccontextmanager
async def _run(
    settings: Settings, clock: Clock, metrics: GatewayMetrics, readiness: Readiness, app: FastAPI
) -> AsyncIterator[State]:
    """Stores before upstreams: a forwarded request that is cancelled at the end has nothing left to ask them."""
    gateway = settings.gateway
    async with AsyncExitStack() as stack:
        clickhouse = await stack.enter_async_context(open_clickhouse(settings.clickhouse))
        redis = await stack.enter_async_context(open_redis(settings.redis))
        passwords = await stack.enter_async_context(open_password_check(gateway.password_threads))
        upstreams = await stack.enter_async_context(open_upstreams(gateway))
        add_checks(readiness, clickhouse, redis, upstreams)
        guard = RedisGuard(clock, timeout=gateway.redis_timeout_seconds)
        limiter = RateLimiter(redis, guard, metrics)
        sessions = Sessions(settings.session.secret, redis, guard, clock)
        control_plane, keys = ControlPlane(clickhouse, clock), ApiKeyStore(clickhouse, clock)
        sign_in_limits = SignInLimits.of(burst=gateway.sign_in_burst, refill_seconds=gateway.sign_in_refill_seconds)
        gate = Gate(
            keys=keys,
            sessions=sessions,
            control_plane=control_plane,
            limiter=limiter,
            limit=Limit("api", gateway.rate_limit_per_second, gateway.rate_limit_burst),
            metrics=metrics,
            trusted_proxies=gateway.trusted_networks,
            secure_cookies=gateway.secure_cookies,
        )
        yield State(
            settings=gateway,
            identity_secret=settings.identity.secret,
            clock=clock,
            metrics=metrics,
            gate=gate,
            keys=keys,
            sessions=sessions,
            sign_in=SignIn(control_plane, passwords, limiter, sign_in_limits, metrics),
            control_plane=control_plane,
            upstreams=upstreams,
            description=ProductDescription(app.openapi, upstreams, clock),
        )
