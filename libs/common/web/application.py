"""What every service's application has: context, metrics, problems, probes."""

from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from libs.common.clock import Clock, SystemClock
from libs.common.errors import NotFound
from libs.common.settings import HttpSettings
from libs.common.web.body_deadline import BodyDeadlineMiddleware
from libs.common.web.health import Readiness
from libs.common.web.middleware import HttpMetrics, RequestContextMiddleware, RequestOutcomeMiddleware
from libs.common.web.problems import install_problem_handlers

UNTRACED_PATHS = ("/livez", "/readyz", "/metrics", "/v1/", "/internal/")


def install_web_defaults(
    app: FastAPI,
    *,
    service: str,
    registry: CollectorRegistry,
    readiness: Readiness,
    clock: Clock | None = None,
    untraced_paths: tuple[str, ...] = UNTRACED_PATHS,
    http: HttpSettings | None = None,
    public: bool = False,
) -> None:
    """Middlewares, deadlines for bodies, problem handlers, `/livez`, `/readyz` and `/metrics`. Call once, in `create_app`.

    `untraced_paths` are prefixes without spans; a service on the write path of traces passes ("/",).
    An application that strangers reach is `public`: `/readyz` says no more than its status and there is no `/metrics`;
    `app.state.operations` is the application with both in full, for a port of its own.
    """
    clock, http = clock or SystemClock(), http or HttpSettings()
    metrics = HttpMetrics(registry)
    app.add_middleware(BodyDeadlineMiddleware, clock=clock, idle_seconds=http.body_idle_seconds)
    # The last one added is the outermost: the outcome's log line needs the context's request id.
    app.add_middleware(RequestOutcomeMiddleware, service=service, metrics=metrics, clock=clock)
    app.add_middleware(RequestContextMiddleware, service=service, untraced_paths=untraced_paths)
    install_problem_handlers(app)
    # For requests that no middleware sees (libs/common/web/http_protocol.py).
    app.state.count_refused = lambda error: metrics.errors.labels(service, error.id).inc()
    probes = _probes(registry, readiness)
    if public:
        app.include_router(_public_probes(readiness))
        app.state.operations = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        install_problem_handlers(app.state.operations)
        app.state.operations.include_router(probes)
    else:
        app.include_router(probes)


def _probes(registry: CollectorRegistry, readiness: Readiness) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def live() -> Response:
        return _status({"status": "live"})

    @router.get("/readyz")
    async def ready() -> Response:
        is_ready, report = await readiness.report()
        return _status(report, ready=is_ready)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _public_probes(readiness: Readiness) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def live() -> Response:
        return _status({"status": "live"})

    @router.get("/readyz")
    async def ready() -> Response:
        is_ready, report = await readiness.report()
        return _status({"status": report["status"]}, ready=is_ready)

    # Named here, so that a route for every path does not ask another service for its own.
    @router.get("/metrics")
    async def metrics() -> Response:
        raise NotFound("Metrics are on the admin port.")

    return router


def _status(document: dict[str, Any], *, ready: bool = True) -> Response:
    return Response(
        orjson.dumps(document),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
