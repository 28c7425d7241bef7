"""inventory, shipping and notification: from paid order to parcel and mail."""

from collections.abc import Mapping
from typing import Any

from demo.calls import DEBUG, INFO, WARN, Call, stable
from demo.failures import AppError, Rejected, bad_answer
from demo.kernel import Process
from demo.latency import Latency
from demo.stores import Database, External, Statement, borrow, cached, query, request
from demo.topics import Consume, publish
from demo.world import WAREHOUSES, Handler

Body = Mapping[str, Any]

INVENTORY = Database("inventory", "inventory-db", pool_size=12)
SHIPPING = Database("shipping", "shipping-db", pool_size=6)
_STOCK = Statement("SELECT stock", "SELECT warehouse, quantity FROM stock WHERE product_id = $1", Latency(2, 12))
TAKE_STOCK = Statement(
    "UPDATE stock",
    "UPDATE stock SET quantity = quantity - $1 WHERE product_id = ANY($2) AND warehouse = $3",
    Latency(4, 22),
)
_RESERVE = Statement(
    "INSERT reservations",
    "INSERT INTO reservations (order_id, product_id, quantity) SELECT $1, * FROM unnest($2, $3)",
    Latency(2.5, 14),
)
_RELEASE = Statement("DELETE reservations", "DELETE FROM reservations WHERE order_id = $1", Latency(2.5, 14))
_SHIPMENT = Statement(
    "INSERT shipments", "INSERT INTO shipments (id, order_id, carrier) VALUES ($1, $2, $3)", Latency(3, 15)
)
_CARRIER = External("rates.parcel.example", Latency(90, 420), failing=0.004)
_MAIL = External("api.mailrelay.example", Latency(60, 320), failing=0.003)


def stock(call: Call, product_id: str) -> Process[Body]:
    call.note(product_id=product_id)
    yield from query(call, INVENTORY, _STOCK, rows=3)
    if stable(product_id, 61) == 7 and call.random.random() < 0.3:
        raise Rejected(409, f"{product_id} is out of stock")
    return {}


def reserve(call: Call, order_id: str, items: int) -> Process[Body]:
    warehouse = WAREHOUSES[stable(order_id, len(WAREHOUSES))]
    call.note(order_id=order_id, warehouse=warehouse)
    try:
        with (yield from borrow(call, INVENTORY)) as connection:
            yield from connection.execute(_STOCK, rows=items)
            yield from connection.execute(TAKE_STOCK, lock=stock_lock(warehouse))
            yield from connection.execute(_RESERVE)
    except AppError as error:
        call.log(WARN, f"reservation for order {order_id} in {warehouse} failed: {error}")
        raise
    change_stock(call, warehouse, -items)
    call.log(INFO, f"reserved {items} items in {warehouse} for order {order_id}")
    return {}


def release(call: Call, order_id: str) -> Process[Body]:
    yield from query(call, INVENTORY, _RELEASE)
    call.log(INFO, f"reservation for order {order_id} released")
    return {}


def stock_lock(warehouse: str) -> str:
    return f"stock/{warehouse}"


def change_stock(call: Call, warehouse: str, quantity: int) -> None:
    call.world.stock[warehouse] += quantity
    call.instance.telemetry.record("shop.inventory.stock", call.world.stock[warehouse], {"shop.warehouse": warehouse})


def quote(call: Call, items: int) -> Process[Body]:
    yield from call.compute(Latency(2, 10))
    parcel = "S" if items < 3 else "M"
    yield from cached(call, "shipping-cache", "quote", f"{parcel}{call.random.randrange(40)}", 600, lambda: _rate(call))
    return {}


def _rate(call: Call) -> Process[None]:
    if (yield from request(call, _CARRIER, "POST", "/v3/rates", timeout=1.5)) != 200:
        call.log(WARN, "carrier gave no rate, using the price list")


def ship(call: Call, body: Mapping[str, Any]) -> Process[None]:
    """A label for a placed order."""
    order_id = body["order_id"]
    call.note(order_id=order_id)
    if (status := (yield from request(call, _CARRIER, "POST", "/v3/labels", timeout=3.0))) != 200:
        raise bad_answer(status, f"https://{_CARRIER.host}/v3/labels")
    yield from query(call, SHIPPING, _SHIPMENT)
    call.log(INFO, f"label printed for order {order_id}")
    yield from publish(call, "shipments.created", order_id, body)


def confirm_order(call: Call, body: Mapping[str, Any]) -> Process[None]:
    yield from _mail(call, "order-confirmation", body["order_id"])


def announce_shipment(call: Call, body: Mapping[str, Any]) -> Process[None]:
    yield from _mail(call, "shipment-announcement", body["order_id"])


def _mail(call: Call, template: str, order_id: str) -> Process[None]:
    call.note(order_id=order_id, template=template)
    with call.operation(f"render {template}", attributes={"shop.template": template}) as rendering:
        yield from rendering.compute(Latency(6, 25))
    slow = call.world.is_on("slow-consumer-notification")
    started = call.now_ns
    for attempt in range(3):
        try:
            status = yield from request(
                call,
                _MAIL,
                "POST",
                "/v1/messages",
                timeout=8.0,
                attempt=attempt,
                seconds=call.random.uniform(6.0, 20.0) if slow else None,
            )
        except AppError as error:
            failure = error
        else:
            if status == 200:
                took = (call.now_ns - started) // 1_000_000
                call.log(INFO, {"event": "mail sent", "template": template, "order": order_id, "took_ms": took})
                return
            failure = bad_answer(status, f"https://{_MAIL.host}/v1/messages")
        call.log(WARN, {"event": "mail failed", "template": template, "order": order_id, "attempt": attempt + 1})
        yield from call.pause(0.3 * 2**attempt)
    call.log(DEBUG, f"mail for order {order_id} goes to the dead letters")
    raise failure


ENDPOINTS: Mapping[tuple[str, str], Handler] = {
    ("inventory", "GET /stock/{product_id}"): stock,
    ("inventory", "POST /reservations"): reserve,
    ("inventory", "DELETE /reservations/{order_id}"): release,
    ("shipping", "POST /quotes"): quote,
}
CONSUMERS: Mapping[tuple[str, str], Consume] = {
    ("orders.placed", "shipping"): ship,
    ("orders.placed", "notification"): confirm_order,
    ("shipments.created", "notification"): announce_shipment,
}
