"""storefront: renders pages for browsers from what the other services answer."""

from collections.abc import Callable, Mapping
from typing import Any

from demo.calls import INFO, WARN, Call
from demo.failures import AppError, Rejected
from demo.kernel import Process
from demo.latency import Latency
from demo.stores import redis

Page = Mapping[str, Any]
_RENDER = Latency(9, 35)
_CONVERT = "shop.currency.v1.Currency/Convert"


def home(call: Call, session_id: str, currency: str) -> Process[Page]:
    yield from _session(call, session_id)
    yield from call.world.kernel.gather(
        call.http("catalog", "GET /featured"),
        _recommendations(call, session_id),
        _prices(call, currency),
    )
    yield from _render(call, "home")
    return {}


def product(call: Call, product_id: str, session_id: str, currency: str) -> Process[Page]:
    call.note(product_id=product_id)
    yield from _session(call, session_id)
    yield from call.http("catalog", "GET /products/{product_id}", product_id=product_id)
    yield from call.world.kernel.gather(
        _optional(call, "stock", lambda: call.http("inventory", "GET /stock/{product_id}", product_id=product_id)),
        _recommendations(call, session_id),
        _prices(call, currency),
    )
    yield from _render(call, "product")
    return {}


def search(call: Call, text: str, session_id: str, currency: str) -> Process[Page]:
    yield from _session(call, session_id)
    found = yield from call.http("search", "GET /search", text=text)
    yield from _prices(call, currency)
    yield from _render(call, "search")
    call.log(INFO, f"search for {text!r} found {found['hits']} products")
    return found


def category(call: Call, category: str, session_id: str, currency: str) -> Process[Page]:
    yield from _session(call, session_id)
    yield from call.world.kernel.gather(
        call.http("catalog", "GET /categories/{category}", category=category), _prices(call, currency)
    )
    yield from _render(call, "category")
    return {}


def add_to_cart(call: Call, product_id: str, session_id: str) -> Process[Page]:
    call.note(product_id=product_id)
    yield from _session(call, session_id)
    yield from call.http("inventory", "GET /stock/{product_id}", product_id=product_id)
    return (
        yield from call.http(
            "cart", "POST /carts/{session_id}/items", retries=0, session_id=session_id, product_id=product_id
        )
    )


def cart(call: Call, session_id: str, currency: str) -> Process[Page]:
    yield from _session(call, session_id)
    content = yield from call.http("cart", "GET /carts/{session_id}", session_id=session_id)
    yield from call.world.kernel.gather(
        _optional(
            call,
            "shipping quote",
            lambda: call.http("shipping", "POST /quotes", retries=0, items=len(content["items"])),
        ),
        _prices(call, currency),
    )
    yield from _render(call, "cart")
    return content


def checkout(call: Call, session_id: str, currency: str, order_id: str) -> Process[Page]:
    yield from _session(call, session_id)
    try:
        order = yield from call.http(
            "checkout",
            "POST /orders",
            timeout=12.0,
            retries=0,
            session_id=session_id,
            currency=currency,
            order_id=order_id,
        )
    except Rejected as rejection:
        call.log(INFO, f"order {order_id} not placed: {rejection}")
        raise
    call.note(order_id=order_id, order_currency=currency)
    yield from _render(call, "thank-you")
    call.log(INFO, f"order {order_id} placed, {order['total']:.2f} USD")
    return order


def order(call: Call, order_id: str, session_id: str) -> Process[Page]:
    yield from _session(call, session_id)
    found = yield from call.http("checkout", "GET /orders/{order_id}", order_id=order_id)
    yield from _render(call, "order")
    return found


def _session(call: Call, session_id: str) -> Process[None]:
    if call.world.utilization() > 0.7 and call.random.random() < 0.12:
        call.log(WARN, f"shedding load: utilization {call.world.utilization():.2f}")
        raise AppError(
            "shop.storefront.Overloaded",
            "too many requests in progress",
            status=503,
            origin=("shop/storefront/admission.py", "admit", "raise Overloaded('too many requests in progress')"),
        )
    try:
        yield from redis(call, "session-cache", "GET", f"session:{session_id}")
    except AppError as error:
        call.log(WARN, f"session store unavailable, going on without: {error}")


def _recommendations(call: Call, session_id: str) -> Process[None]:
    yield from _optional(
        call,
        "recommendations",
        lambda: call.http("recommendation", "GET /recommendations", timeout=0.8, retries=0, session_id=session_id),
    )


def _prices(call: Call, currency: str) -> Process[None]:
    if currency != "USD":
        yield from _optional(call, "currency conversion", lambda: call.rpc("currency", _CONVERT, currency=currency))


def _optional(call: Call, what: str, process: Callable[[], Process[Any]]) -> Process[None]:
    """The page is worth showing without this."""
    try:
        yield from process()
    except (AppError, Rejected) as error:
        call.span.add_event("degraded", {"shop.degraded.part": what}, timestamp=call.now_ns)
        call.log(WARN, f"{what} unavailable, page shown without: {error}")


def _render(call: Call, template: str) -> Process[None]:
    with call.operation(f"render {template}", attributes={"shop.template": template}) as rendering:
        yield from rendering.compute(_RENDER)


ENDPOINTS: Mapping[str, Callable[..., Process[Page]]] = {
    "GET /": home,
    "GET /products/{product_id}": product,
    "GET /search": search,
    "GET /categories/{category}": category,
    "POST /cart/items": add_to_cart,
    "GET /cart": cart,
    "POST /checkout": checkout,
    "GET /orders/{order_id}": order,
}
