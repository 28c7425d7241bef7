"""The event bus: one protocol (protocol.py), two transports, chosen by the scheme of BusSettings.url.

    async with open_producer(settings, clock) as producer:
        await producer.send("telemetry.traces", payload)

Tests use `libs.common.testing.memory_bus.MemoryBus`, which runs the same contract suite.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from libs.common.bus.consumer import BusConsumer, reporting_lag
from libs.common.bus.kafka.consumer import open_kafka_consumer
from libs.common.bus.kafka.producer import open_kafka_producer
from libs.common.bus.kafka.topics import declare_topics as declare_kafka_topics
from libs.common.bus.leases import LeasedConsumer
from libs.common.bus.listening import CountingListener
from libs.common.bus.metrics import BusMetrics, unexported_metrics
from libs.common.bus.producer import BusProducer, ProducerTransport
from libs.common.bus.protocol import (
    Consumer,
    Headers,
    Position,
    Producer,
    RebalanceListener,
    Record,
    TopicPartition,
    TopicPartitionOffset,
)
from libs.common.bus.redis_streams.connection import connect
from libs.common.bus.redis_streams.producer import open_redis_producer
from libs.common.bus.redis_streams.store import RedisLogStore
from libs.common.bus.redis_streams.topics import declare_topics as declare_redis_topics
from libs.common.bus.topics import TopicDeclaration, load_declarations, untraced_topics
from libs.common.clock import Clock
from libs.common.settings import BusSettings

__all__ = [
    "BusMetrics",
    "Consumer",
    "Headers",
    "Position",
    "Producer",
    "RebalanceListener",
    "Record",
    "TopicDeclaration",
    "TopicPartition",
    "TopicPartitionOffset",
    "ensure_topics",
    "load_declarations",
    "open_consumer",
    "open_producer",
]


@asynccontextmanager
async def open_producer(
    settings: BusSettings, clock: Clock, *, metrics: BusMetrics | None = None
) -> AsyncIterator[Producer]:
    """A producer, also while the bus is away: then it connects later, and sends raise BusUnavailable until it has.

    Leaving waits for what is in flight, at most the settings' timeout.
    """
    async with AsyncExitStack() as stack:
        if settings.transport == "kafka":
            transport: ProducerTransport = await stack.enter_async_context(open_kafka_producer(settings, clock))
        else:
            bus = await stack.enter_async_context(connect(settings))
            transport = await stack.enter_async_context(open_redis_producer(bus, settings, clock))
        yield BusProducer(
            transport, settings, clock, metrics or unexported_metrics(), untraced=untraced_topics(load_declarations())
        )


@asynccontextmanager
async def open_consumer(
    settings: BusSettings,
    group: str,
    topics: Collection[str],
    listener: RebalanceListener | None,
    clock: Clock,
    *,
    metrics: BusMetrics | None = None,
) -> AsyncIterator[Consumer]:
    """A member of `group`, also while the bus is away. It joins with its first poll.

    Leaving calls on_revoked for what it holds and gives it back, so that others take over at once.
    """
    metrics = metrics or unexported_metrics()
    counting = CountingListener(listener, group, metrics)
    async with AsyncExitStack() as stack:
        if settings.transport == "kafka":
            transport: Consumer = await stack.enter_async_context(
                open_kafka_consumer(settings, group, topics, counting, clock)
            )
        else:
            bus = await stack.enter_async_context(connect(settings))
            store = RedisLogStore(bus, settings.session_timeout_seconds)
            leased = LeasedConsumer(store, group, topics, counting, settings, clock)
            stack.push_async_callback(leased.close)
            transport = leased
        consumer = BusConsumer(transport, group, frozenset(topics), metrics)
        await stack.enter_async_context(reporting_lag(consumer, clock))
        yield consumer


async def ensure_topics(settings: BusSettings, declarations: Iterable[TopicDeclaration]) -> None:
    """Make the topics that are missing and bring the others' retention in line. Raises BusUnavailable."""
    if settings.transport == "kafka":
        await declare_kafka_topics(settings, declarations)
    else:
        async with connect(settings) as bus:
            await declare_redis_topics(bus, settings, declarations)
