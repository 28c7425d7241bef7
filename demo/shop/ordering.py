"""cart, checkout, payment and fraud-check: from basket to paid order."""

from collections.abc import Mapping
from typing import Any

from demo.calls import INFO, WARN, Call, stable
from demo.failures import AppError, Rejected, bad_answer
from demo.kernel import Process
from demo.latency import Latency
from demo.shop.products import price
from demo.stores import Database, External, Statement, borrow, query, redis, request
from demo.topics import publish
from demo.world import Handler

Body = Mapping[str, Any]

BAD_CART_VERSION = "2.9.0"
ORDERS = Database("orders", "orders-db", pool_size=5, pool_timeout=2.2)
PAYMENTS = Database("payments", "payments-db", pool_size=6)
_CUSTOMER = Statement("SELECT customers", "SELECT id, tier, country FROM customers WHERE id = $1", Latency(2, 12))
_ORDER = Statement(
    "INSERT orders", "INSERT INTO orders (id, customer_id, total, currency) VALUES ($1, $2, $3, $4)", Latency(3.5, 20)
)
_ITEMS = Statement(
    "INSERT order_items",
    "INSERT INTO order_items (order_id, product_id, quantity) SELECT * FROM unnest($1, $2, $3)",
    Latency(3, 18),
)
_FIND_ORDER = Statement("SELECT orders", "SELECT id, status, total FROM orders WHERE id = $1", Latency(2.5, 16))
_CHARGE = Statement(
    "INSERT charges", "INSERT INTO charges (id, order_id, amount, status) VALUES ($1, $2, $3, $4)", Latency(3, 16)
)
_CARD_API = External("api.cardpay.example", Latency(180, 900), failing=0.006)
_CARDS = ("visa", "mastercard", "amex", "kakaopay", "paypal")
_CONVERT = "shop.currency.v1.Currency/Convert"
_SCORE = "shop.fraud.v1.FraudCheck/Score"
_SMALL = Latency(1.8, 9)


def cart_content(call: Call, session_id: str) -> Process[Body]:
    yield from redis(call, "cart-store", "HGETALL", f"cart:{session_id}")
    yield from _promotions(call, session_id)
    items = call.world.carts.get(session_id, [])
    call.note(cart_items=len(items))
    return {"items": tuple(items)}


def cart_add(call: Call, session_id: str, product_id: str) -> Process[Body]:
    yield from call.compute(_SMALL)
    yield from _promotions(call, session_id)
    yield from redis(call, "cart-store", "HINCRBY", f"cart:{session_id}")
    items = call.world.carts.setdefault(session_id, [])
    items.append(product_id)
    call.note(product_id=product_id, cart_items=len(items))
    call.instance.telemetry.record("shop.carts.items", 1, {})
    call.log(INFO, f"added {product_id} to cart {session_id}, now {len(items)} items")
    return {"items": tuple(items)}


def cart_clear(call: Call, session_id: str) -> Process[Body]:
    yield from redis(call, "cart-store", "DEL", f"cart:{session_id}")
    removed = len(call.world.carts.pop(session_id, ()))
    call.instance.telemetry.record("shop.carts.items", -removed, {})
    return {}


def _promotions(call: Call, session_id: str) -> Process[None]:
    with call.operation("apply promotions") as applying:
        yield from applying.compute(Latency(1, 5))
        if stable(session_id, 100) >= 45:
            return
        applying.note(promotion_code="AUTUMN15")
        if call.instance.version == BAD_CART_VERSION:
            raise AppError(
                "TypeError",
                "unsupported operand type(s) for *: 'NoneType' and 'decimal.Decimal'",
                origin=("shop/cart/promotions.py", "discount", "return self.percentage * subtotal"),
            )


def place_order(call: Call, session_id: str, currency: str, order_id: str) -> Process[Body]:
    call.note(order_id=order_id, order_currency=currency)
    try:
        total = yield from _order(call, session_id, currency, order_id)
    except Rejected:
        call.measure("shop.orders", 1, {"shop.order.outcome": "rejected"})
        raise
    except AppError:
        call.measure("shop.orders", 1, {"shop.order.outcome": "failed"})
        raise
    call.measure("shop.orders", 1, {"shop.order.outcome": "placed"})
    call.measure("shop.order.value", total, {"shop.order.currency": currency, "shop.order.id": order_id})
    return {"total": total}


def _order(call: Call, session_id: str, currency: str, order_id: str) -> Process[float]:
    cart = yield from call.http("cart", "GET /carts/{session_id}", session_id=session_id)
    if not cart["items"]:
        raise Rejected(409, "the cart is empty")
    total = sum(map(price, cart["items"]))
    call.note(order_total=total, cart_items=len(cart["items"]))
    yield from query(call, ORDERS, _CUSTOMER, rows=1)
    yield from call.world.kernel.gather(
        call.http("shipping", "POST /quotes", items=len(cart["items"])),
        call.rpc("currency", _CONVERT, currency=currency),
    )
    yield from call.http("inventory", "POST /reservations", timeout=5.0, order_id=order_id, items=len(cart["items"]))
    try:
        yield from call.rpc("fraud-check", _SCORE, timeout=1.5, order_id=order_id, total=total)
        yield from call.http("payment", "POST /charges", timeout=8.0, retries=0, order_id=order_id, total=total)
        with (yield from borrow(call, ORDERS)) as connection:
            yield from connection.execute(_ORDER)
            yield from connection.execute(_ITEMS)
    except (AppError, Rejected) as error:
        call.log(WARN, f"order {order_id} failed, giving back its reservation: {error}")
        yield from call.http("inventory", "DELETE /reservations/{order_id}", order_id=order_id)
        raise
    yield from publish(call, "orders.placed", order_id, {"order_id": order_id, "items": len(cart["items"])})
    yield from call.http("cart", "DELETE /carts/{session_id}", session_id=session_id)
    call.log(
        INFO,
        f"order {order_id} placed: {len(cart['items'])} items, {total:.2f} USD",
        {"shop.order.id": order_id, "shop.order.total": total},
    )
    return total


def find_order(call: Call, order_id: str) -> Process[Body]:
    call.note(order_id=order_id)
    yield from query(call, ORDERS, _FIND_ORDER, rows=1)
    return {}


def charge(call: Call, order_id: str, total: float) -> Process[Body]:
    charge_id = f"ch_{call.random.getrandbits(48):012x}"
    card = call.random.choice(_CARDS)
    call.note(order_id=order_id, payment_card_brand=card, payment_id=charge_id)
    yield from call.compute(_SMALL)
    yield from _authorise(call, charge_id)
    if call.random.random() < 0.035:
        call.measure("shop.payments.declined", 1, {"shop.payment.card.brand": card})
        call.log(WARN, f"charge {charge_id} declined: insufficient funds card={card} amount={total:.2f}")
        raise Rejected(402, "card declined")
    yield from query(call, PAYMENTS, _CHARGE)
    call.log(INFO, f"charge {charge_id} authorised card={card} amount={total:.2f} currency=USD")
    return {"charge_id": charge_id}


def _authorise(call: Call, charge_id: str) -> Process[None]:
    """Ask the card provider, three times if need be."""
    broken = call.world.is_on("payment-errors")
    for attempt in range(3):
        if attempt:
            yield from call.pause(0.1 * 2**attempt * (1 + call.random.random()))
        hangs = call.random.random() < 0.15
        try:
            status = yield from request(
                call,
                _CARD_API,
                "POST",
                "/v1/charges",
                timeout=2.0,
                attempt=attempt,
                seconds=9.0 if broken and hangs else None,
                failing=0.7 if broken else None,
            )
        except AppError as error:
            failure = error
        else:
            if status == 200:
                return
            failure = bad_answer(status, f"https://{_CARD_API.host}/v1/charges")
        call.log(WARN, f"card provider failed for charge {charge_id}, attempt {attempt + 1} of 3: {failure}")
    raise failure


def score(call: Call, order_id: str, total: float) -> Process[Body]:
    call.note(order_id=order_id)
    yield from redis(call, "velocity-store", "INCR", f"velocity:{call.baggage['session.id']}")
    risk = min(0.99, call.random.betavariate(1.2, 14) + total / 20_000)
    with call.operation("evaluate rules", attributes={"shop.fraud.rules": 42}) as rules:
        yield from rules.compute(Latency(14, 70))
        rules.note(fraud_score=round(risk, 3))
    if risk > 0.4:
        call.log(WARN, f"order {order_id} needs review: risk {risk:.2f}", {"shop.fraud.score": round(risk, 3)})
    return {"risk": risk}


ENDPOINTS: Mapping[tuple[str, str], Handler] = {
    ("cart", "GET /carts/{session_id}"): cart_content,
    ("cart", "POST /carts/{session_id}/items"): cart_add,
    ("cart", "DELETE /carts/{session_id}"): cart_clear,
    ("checkout", "POST /orders"): place_order,
    ("checkout", "GET /orders/{order_id}"): find_order,
    ("payment", "POST /charges"): charge,
    ("fraud-check", _SCORE): score,
}
