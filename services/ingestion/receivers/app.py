"""Put the receiver role together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from libs.common.clock import Clock, SystemClock
from libs.common.errors import NotFound
from libs.common.roles import Role
from libs.common.settings import BusSettings, KeyFeedSettings
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.server import serve
from services.ingestion.metrics import ReceiverMetrics
from services.ingestion.receivers import otlp
from services.ingestion.receivers.admission import Admission, InFlight, TenantRates
from services.ingestion.receivers.dependencies import Connect, connecting
from services.ingestion.receivers.grpc_server import serve_grpc
from services.ingestion.receivers.http_server import HttpServer
from services.ingestion.receivers.intake import Intake, RequestIds
from services.ingestion.receivers.outbox import Outbox
from services.ingestion.receivers.reception import Reception
from services.ingestion.receivers.validation import Limits
from services.ingestion.settings import ReceiverSettings

# A protocol is added here.
ENDPOINTS = (*otlp.ENDPOINTS,)


def create_app(settings: ReceiverSettings, connect: Connect, clock: Clock) -> HttpServer:
    """The receiver as one ASGI application. `rest.state.grpc_port` is where gRPC listens."""
    registry = CollectorRegistry()
    metrics = ReceiverMetrics(registry)
    readiness = Readiness(clock)
    request_ids = RequestIds()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """The bus before those who send to it: gRPC finishes its messages before the producer closes."""
        async with AsyncExitStack() as stack:
            connections = await stack.enter_async_context(connect(registry))
            in_flight = InFlight(settings.max_in_flight_bytes)
            metrics.in_flight.set_function(lambda: in_flight.used)
            rates = TenantRates(settings.tenant_bytes_per_second, settings.tenant_burst_seconds, clock)
            admission = Admission(connections.keys, in_flight, rates)
            limits = Limits(max_message_bytes=settings.max_message_bytes, max_attributes=settings.max_attributes)
            outbox = Outbox(connections.producer)
            stack.push_async_callback(outbox.close)
            intake = Intake(outbox, limits, clock, metrics)

            def reception(transport: str) -> Reception:
                return Reception(admission, intake, settings, metrics, clock, transport=transport, endpoints=ENDPOINTS)

            app.state.reception = reception("http")
            readiness.add("bus", connections.producer.check)
            readiness.add("api_keys", connections.check_keys, required=False)
            app.state.grpc_port = await stack.enter_async_context(
                serve_grpc(settings, ENDPOINTS, reception("grpc"), request_ids)
            )
            yield

    app = FastAPI(title="AIRIS-MON ingestion receiver", lifespan=lifespan, openapi_url=None)
    install_web_defaults(
        app, service="ingestion", registry=registry, readiness=readiness, clock=clock, untraced_paths=("/",)
    )
    app.router.default = _nothing_here
    return HttpServer(app, ENDPOINTS, settings=settings, reception=lambda: app.state.reception, request_ids=request_ids)


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    paths = ", ".join(endpoint.path for endpoint in ENDPOINTS if endpoint.path)
    raise NotFound(f"There is nothing at {scope['path']}. OTLP over HTTP goes to {paths}.")


def create_receiver(settings: ReceiverSettings, bus: BusSettings, keys: KeyFeedSettings) -> Role:
    """The receiver as a role."""
    clock = SystemClock()

    async def run(stop: asyncio.Event) -> None:
        app = create_app(settings, connecting(bus, keys, clock), clock)
        await serve(app, settings.http_host, settings.http_port, stop)

    return run
