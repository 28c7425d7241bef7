"""Put the writer role together: bus to store, with an admin application for probes and metrics."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from libs.common.bus import BusMetrics, open_consumer, open_producer
from libs.common.clickhouse.client import open_clickhouse
from libs.common.clock import Clock, SystemClock
from libs.common.pipeline import DeadLetters, Writer, WriterMetrics, longest_stall
from libs.common.roles import Role
from libs.common.settings import BusSettings, ClickHouseSettings
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.server import serve
from services.ingestion.repository import TelemetrySink
from services.ingestion.settings import WriterSettings
from services.ingestion.signals import BY_TOPIC, DEAD_LETTERS_TOPIC

CONSUMER_GROUP = "ingestion-writer"


def create_writer(
    settings: WriterSettings, bus: BusSettings, store: ClickHouseSettings, clock: Clock | None = None
) -> Role:
    """The writer as a role."""
    clock = clock or SystemClock()

    async def run(stop: asyncio.Event) -> None:
        """Store before bus: what has been read must have somewhere to go until the consumer is closed."""
        registry = CollectorRegistry()
        metrics, bus_metrics = WriterMetrics(registry), BusMetrics(registry)
        readiness = Readiness(clock)
        async with AsyncExitStack() as stack:
            clickhouse = await stack.enter_async_context(open_clickhouse(store))
            producer = await stack.enter_async_context(open_producer(bus, clock, metrics=bus_metrics))
            dead_letters = DeadLetters(producer, DEAD_LETTERS_TOPIC, settings, clock)
            sinks = {topic: TelemetrySink(clickhouse, signal) for topic, signal in BY_TOPIC.items()}
            writer = Writer(sinks, dead_letters, settings, clock, metrics, stall=longest_stall(bus, store))
            consumer = await stack.enter_async_context(
                open_consumer(bus, CONSUMER_GROUP, sorted(BY_TOPIC), writer, clock, metrics=bus_metrics)
            )
            readiness.add("store", clickhouse.check)
            readiness.add("bus", consumer.check)
            app = FastAPI(title="AIRIS-MON ingestion writer", openapi_url=None)
            install_web_defaults(
                app, service="ingestion", registry=registry, readiness=readiness, clock=clock, untraced_paths=("/",)
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(serve(app, settings.host, settings.port, stop), name="writer admin")
                tasks.create_task(writer.run(consumer, stop), name="writer")

    return run
