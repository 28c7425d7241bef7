"""The shop's metrics, as declarations. Names, units and kinds follow the semantic conventions; our own start with `shop.`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential histogram"


@dataclass(frozen=True, slots=True)
class Instrument:
    """`keys` are the attributes that make a series; others measured along stay on exemplars. None keeps all."""

    name: str
    kind: Kind
    unit: str
    description: str
    boundaries: tuple[float, ...] = ()
    keys: frozenset[str] | None = None


# As the semantic conventions advise for durations in seconds.
DURATION = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
DATABASE_DURATION = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)

MEASURED: Mapping[str, Instrument] = {
    instrument.name: instrument
    for instrument in (
        Instrument("http.server.request.duration", Kind.HISTOGRAM, "s", "Duration of HTTP server requests.", DURATION),
        Instrument(
            "http.server.active_requests", Kind.UP_DOWN_COUNTER, "{request}", "Number of active HTTP server requests."
        ),
        Instrument(
            "http.client.request.duration", Kind.EXPONENTIAL_HISTOGRAM, "s", "Duration of HTTP client requests."
        ),
        Instrument("rpc.server.call.duration", Kind.HISTOGRAM, "s", "Duration of incoming calls.", DURATION),
        Instrument("rpc.client.call.duration", Kind.EXPONENTIAL_HISTOGRAM, "s", "Duration of outgoing calls."),
        Instrument(
            "db.client.operation.duration",
            Kind.HISTOGRAM,
            "s",
            "Duration of database client operations.",
            DATABASE_DURATION,
        ),
        Instrument(
            "db.client.connection.wait_time",
            Kind.EXPONENTIAL_HISTOGRAM,
            "s",
            "The time it took to obtain an open connection from the pool.",
        ),
        Instrument(
            "db.client.connection.use_time",
            Kind.EXPONENTIAL_HISTOGRAM,
            "s",
            "The time between borrowing a connection and returning it to the pool.",
        ),
        Instrument(
            "db.client.connection.timeouts",
            Kind.COUNTER,
            "{timeout}",
            "Connection timeouts while trying to obtain a connection from the pool.",
        ),
        Instrument(
            "messaging.client.sent.messages", Kind.COUNTER, "{message}", "Messages the producer attempted to send."
        ),
        Instrument(
            "messaging.client.consumed.messages", Kind.COUNTER, "{message}", "Messages delivered to the application."
        ),
        Instrument("messaging.process.duration", Kind.HISTOGRAM, "s", "Duration of processing operation.", DURATION),
        Instrument(
            "shop.gc.pause.duration",
            Kind.HISTOGRAM,
            "s",
            "How long full garbage collections stopped the process.",
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
        ),
        Instrument("shop.cache.lookups", Kind.COUNTER, "{lookup}", "Cache lookups by result."),
        Instrument("shop.orders", Kind.COUNTER, "{order}", "Orders by outcome."),
        Instrument(
            "shop.order.value",
            Kind.EXPONENTIAL_HISTOGRAM,
            "{USD}",
            "Value of placed orders in US dollars.",
            keys=frozenset({"shop.order.currency"}),
        ),
        Instrument("shop.payments.declined", Kind.COUNTER, "{payment}", "Charges the card provider declined."),
        Instrument("shop.carts.items", Kind.UP_DOWN_COUNTER, "{item}", "Items lying in carts."),
        Instrument("shop.inventory.stock", Kind.GAUGE, "{item}", "Items in stock by warehouse."),
        Instrument("shop.search.results", Kind.GAUGE, "{product}", "Products found by the latest search."),
    )
}


OBSERVED: Mapping[str, Instrument] = {
    instrument.name: instrument
    for instrument in (
        Instrument("process.cpu.time", Kind.COUNTER, "s", "Total CPU seconds broken down by different CPU modes."),
        Instrument("process.cpu.utilization", Kind.GAUGE, "1", "Share of the available CPU in use."),
        Instrument("process.memory.usage", Kind.UP_DOWN_COUNTER, "By", "The amount of physical memory in use."),
        Instrument("process.thread.count", Kind.UP_DOWN_COUNTER, "{thread}", "Process threads count."),
        Instrument("process.uptime", Kind.GAUGE, "s", "The time the process has been running."),
        Instrument(
            "cpython.gc.collections",
            Kind.COUNTER,
            "{collection}",
            "The number of times a generation was collected since interpreter start.",
        ),
        Instrument(
            "db.client.connection.count",
            Kind.UP_DOWN_COUNTER,
            "{connection}",
            "Connections in the state described by the state attribute.",
        ),
        Instrument(
            "db.client.connection.max", Kind.UP_DOWN_COUNTER, "{connection}", "The most open connections allowed."
        ),
        Instrument(
            "db.client.connection.pending_requests",
            Kind.UP_DOWN_COUNTER,
            "{request}",
            "Current pending requests for an open connection.",
        ),
        Instrument("shop.consumer.lag", Kind.GAUGE, "{message}", "Messages not consumed yet, by partition."),
        Instrument("shop.sessions.active", Kind.UP_DOWN_COUNTER, "{session}", "Shoppers with an open session."),
    )
}
