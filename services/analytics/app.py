"""Put the analytics service together. The only module that knows every part."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from libs.common.auth.identity import install_identity
from libs.common.clickhouse import open_clickhouse
from libs.common.clock import Clock, SystemClock
from libs.common.redis_client import check_redis, open_redis
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.raw_path import RawPathMiddleware
from services.analytics.cache import Answers
from services.analytics.dependencies import State
from services.analytics.log_search import LogSearch
from services.analytics.metrics import AnalyticsMetrics
from services.analytics.repository import TelemetryRepository
from services.analytics.routes import DESCRIPTION, install_routes
from services.analytics.settings import Settings
from services.analytics.trace_search import TraceSearch


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The service's application; opens nothing before its lifespan."""
    clock, registry = clock or SystemClock(), CollectorRegistry()
    readiness = Readiness(clock)
    lifespan = partial(_run, settings, clock, registry, readiness)
    app = FastAPI(
        title="AIRIS-MON analytics", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_middleware(RawPathMiddleware)
    install_web_defaults(app, service="analytics", registry=registry, readiness=readiness, clock=clock)
    install_identity(app, settings.identity, clock, audience="analytics")
    install_routes(app)
    return app


@asynccontextmanager
async def _run(
    settings: Settings, clock: Clock, registry: CollectorRegistry, readiness: Readiness, _: FastAPI
) -> AsyncIterator[State]:
    """The store before the cache: an answer that is still being found when we stop may want to be kept."""
    analytics = settings.analytics
    async with AsyncExitStack() as stack:
        clickhouse = await stack.enter_async_context(
            open_clickhouse(settings.clickhouse, registry=registry, clock=clock)
        )
        redis = await stack.enter_async_context(open_redis(settings.redis))
        readiness.add("clickhouse", clickhouse.check)
        readiness.add("redis", partial(check_redis, redis), required=False)
        metrics = AnalyticsMetrics(registry)
        repository = TelemetryRepository(clickhouse, timeout=analytics.query_timeout_seconds)
        budget = analytics.search_budget_seconds
        yield State(
            settings=analytics,
            clock=clock,
            repository=repository,
            answers=Answers(redis, clock, metrics, analytics),
            traces=TraceSearch(repository, clock, metrics, budget=budget),
            logs=LogSearch(repository, clock, metrics, budget=budget),
        )
