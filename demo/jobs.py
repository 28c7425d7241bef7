"""What services do without being asked: periodic jobs, and the faulty ones behind some drills."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from opentelemetry.context import Context

from demo.calls import INFO, WARN, Call
from demo.failures import AppError
from demo.fleet import Instance
from demo.kernel import Process
from demo.latency import Latency
from demo.shop.browsing import refresh_rates
from demo.shop.fulfilment import INVENTORY, TAKE_STOCK, change_stock, stock_lock
from demo.shop.ordering import BAD_CART_VERSION, ORDERS, PAYMENTS
from demo.stores import Statement, borrow, query, search_index
from demo.world import WAREHOUSES, World

Drill: TypeAlias = Callable[[World], Process[None]]

_SETTLE = Statement("UPDATE charges", "UPDATE charges SET status = $1 WHERE created_at < $2", Latency(40, 180))
_REPORT = Statement(
    "SELECT orders",
    "SELECT date_trunc('day', o.created_at), sum(i.quantity * i.price) FROM orders o JOIN order_items i "
    "ON i.order_id = o.id GROUP BY 1",
    Latency(1_100, 2_600),
)
_RECONCILE = Statement(
    "UPDATE stock", "UPDATE stock SET quantity = c.quantity FROM counted c WHERE stock.id = c.id", Latency(4_500, 7_500)
)
_RESTART_SECONDS = 8.0
_LEAK_MIB_PER_SECOND = 0.5


def periodic(world: World) -> tuple[Process[None], ...]:
    """All jobs that run on a schedule, and the release train."""
    return (
        _every(world, 60.0, "currency", "refresh rates", refresh_rates),
        _every(world, 90.0, "inventory", "restock", _restock),
        _every(world, 120.0, "search", "refresh index", _refresh_index),
        _every(world, 300.0, "payment", "settle charges", lambda call: query(call, PAYMENTS, _SETTLE)),
        _releases(world),
    )


def _every(
    world: World, seconds: float, service: str, name: str, work: Callable[[Call], Process[None]]
) -> Process[None]:
    random = world.random(f"job/{service}/{name}")
    while True:
        yield from world.kernel.pause(seconds * random.uniform(0.9, 1.1))
        with _job(world, service, name) as call:
            yield from work(call)


@contextmanager
def _job(world: World, service: str, name: str, instance: Instance | None = None) -> Iterator[Call]:
    """A root span for work nobody waits for. A failure is logged and forgotten: the job runs again."""
    random = world.random(f"job/{service}/{name}/{world.kernel.now_ns}")
    root = Call(world, instance or world.fleet.pick(service, random), random, {}, Context())
    try:
        with root.operation(name, attributes={"shop.job.name": name}) as call:
            yield call
    except AppError as error:
        root.log_exception(f"job {name!r} failed: {error}", error, name)


def _restock(call: Call) -> Process[None]:
    for warehouse in WAREHOUSES:
        with (yield from borrow(call, INVENTORY)) as connection:
            yield from connection.execute(TAKE_STOCK, lock=stock_lock(warehouse))
        change_stock(call, warehouse, max(0, 4_000 - call.world.stock[warehouse]))
    call.log(INFO, f"restocked {len(WAREHOUSES)} warehouses")


def _refresh_index(call: Call) -> Process[None]:
    yield from call.http("catalog", "POST /products/batch", count=100)
    yield from search_index(call, "products-v7", "*", Latency(140, 500), 240)
    call.log(INFO, "search index refreshed: 240 products")


def _releases(world: World) -> Process[None]:
    """Now and then a team ships a patch."""
    random = world.random("releases")
    while True:
        yield from world.kernel.pause(random.expovariate(1 / 18_000))
        service = random.choice(sorted(set(world.fleet.versions) - {"cart"}))  # the drill changes cart's version
        release, _, patch = world.fleet.versions[service].rpartition(".")
        yield from roll_out(world, service, f"{release}.{int(patch) + 1}")


def roll_out(world: World, service: str, version: str) -> Process[None]:
    """Replace a service's pods one after the other."""
    world.fleet.versions[service] = version
    for instance in list(world.fleet.instances[service]):
        if instance in world.fleet.instances[service]:  # it may have been restarted meanwhile
            _started(world, world.fleet.deploy(instance, version))
            yield from world.kernel.pause(10.0)


def _started(world: World, instance: Instance) -> None:
    call = Call(world, instance, world.random(f"start/{world.kernel.now_ns}"), {}, Context())
    call.log(
        INFO,
        f"{instance.name} {instance.version} started in pod {instance.pod} on {instance.node}",
        {"service.version": instance.version, "k8s.container.restart_count": instance.restarts},
    )


def _starve_orders_pool(world: World) -> Process[None]:
    """Reports hold connections for a second or more each; more of them wait than there are connections."""

    def worker(instance: Instance) -> Process[None]:
        while world.is_on("checkout-latency"):
            with _job(world, "checkout", "daily revenue report", instance) as call:
                yield from query(call, ORDERS, _REPORT, rows=31)
            yield from world.kernel.pause(0.05)

    yield from world.kernel.gather(
        *(worker(instance) for instance in world.fleet.instances["checkout"] for _ in range(ORDERS.pool_size + 6))
    )


def _hold_stock_locks(world: World) -> Process[None]:
    def worker(warehouse: str) -> Process[None]:
        while world.is_on("inventory-db-lock"):
            with _job(world, "inventory", "reconcile stock") as call:
                call.note(warehouse=warehouse)
                with (yield from borrow(call, INVENTORY)) as connection:
                    yield from connection.execute(_RECONCILE, lock=stock_lock(warehouse))
            yield from world.kernel.pause(1.2)

    yield from world.kernel.gather(*(worker(warehouse) for warehouse in WAREHOUSES))


def _leak_memory(world: World) -> Process[None]:
    """Leaks until the kernel kills the container; again after each restart. Switching off deploys the fix."""
    fleet = world.fleet
    while world.is_on("memory-leak-recommendation"):
        yield from world.kernel.pause(1.0)
        for ordinal, instance in enumerate(list(fleet.instances["recommendation"])):
            # Instances that started together do not die together.
            instance.leaked_mib += _LEAK_MIB_PER_SECOND * (1.0 - 0.3 * ordinal)
            if instance.memory_pressure >= 1.0 and instance.ready:
                world.kernel.start(_killed(world, instance))
    for instance in list(fleet.instances["recommendation"]):
        if instance.leaked_mib:
            _started(world, fleet.restart(instance))


def _killed(world: World, instance: Instance) -> Process[None]:
    call = Call(world, instance, world.random(f"kill/{world.kernel.now_ns}"), {}, Context())
    call.log(
        WARN,
        f"memory limit reached: {instance.memory_mib:.0f} MiB of {instance.service.memory_limit_mib} MiB",
        {"k8s.pod.name": instance.pod},
    )
    instance.ready = False
    yield from world.kernel.pause(_RESTART_SECONDS)
    if instance in world.fleet.instances[instance.name]:
        _started(world, world.fleet.restart(instance))


def _bad_cart(world: World) -> Process[None]:
    good = world.fleet.versions["cart"]
    yield from roll_out(world, "cart", BAD_CART_VERSION)
    while world.is_on("bad-deploy-cart"):
        yield from world.kernel.pause(1.0)
    yield from roll_out(world, "cart", good)


# Faults that need something to happen; the others are conditions that the simulated code meets.
DRILLS: Mapping[str, Drill] = {
    "checkout-latency": _starve_orders_pool,
    "inventory-db-lock": _hold_stock_locks,
    "memory-leak-recommendation": _leak_memory,
    "bad-deploy-cart": _bad_cart,
}
