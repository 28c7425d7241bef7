"""Shoppers: who comes, when, and what they do next."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from opentelemetry.context import Context

from demo.calls import INFO, Call, serve_http
from demo.kernel import Process
from demo.shop.products import CATEGORIES, CURRENCIES, category, some_product
from demo.world import World

_SESSIONS = 80
_NEW_SESSION = 0.12
_WORDS = ("wireless", "small", "vintage", "oak", "travel", "green", "kids", "steel", "garden", "cordless")
_THINGS = ("headphones", "kettle", "tent", "lamp", "puzzle", "novel", "planter", "speaker", "knife", "backpack")
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
        "Mobile/15E148 Safari/604.1"
    ),
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
)
_JOURNEY = (
    ("GET /", 20),
    ("GET /products/{product_id}", 30),
    ("GET /search", 15),
    ("GET /categories/{category}", 8),
    ("POST /cart/items", 10),
    ("GET /cart", 5),
    ("POST /checkout", 9),
    ("GET /orders/{order_id}", 3),
)


@dataclass(slots=True)
class Shopper:
    """Somebody with an open session. `orders` are the latest order ids."""

    session_id: str
    user_id: str | None
    currency: str
    browser: str
    address: str
    orders: deque[str]

    @property
    def baggage(self) -> Mapping[str, str]:
        """What travels with every call made for this shopper."""
        return {"session.id": self.session_id} | ({"user.id": self.user_id} if self.user_id else {})


class Traffic:
    """Requests as a Poisson process whose rate follows the hour, by shoppers with a memory."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("traffic")
        self._shoppers = [self._newcomer() for _ in range(_SESSIONS)]
        self._requests = 0
        self.open = True

    def arrivals(self) -> Process[None]:
        """Start requests for ever, or until `open` is False."""
        world, kernel = self._world, self._world.kernel
        while self.open:
            world.sessions = len(self._shoppers)
            gap = self._random.expovariate(world.rate * world.intensity())
            # A Poisson process has no memory: rather than sleep through a change of rate, draw again.
            yield from kernel.pause(min(gap, 1.0))
            if gap <= 1.0 and self.open:
                kernel.start(self._visit())

    def _visit(self) -> Process[None]:
        self._requests += 1
        random = self._world.random(f"request/{self._requests}")
        shopper = self._next_shopper()
        endpoint, params = self._choose(shopper, random)
        instance = self._world.fleet.pick("storefront", random)
        edge = {
            "server.address": "www.shop.example",
            "server.port": 443,
            "client.address": shopper.address,
            "user_agent.original": shopper.browser,
        }
        call = Call(self._world, instance, random, shopper.baggage, Context())
        started = call.now_ns
        reply = yield from serve_http(call, endpoint, params, edge)
        path = endpoint.format_map(params)
        call.log(INFO, f"{shopper.address} {path} {reply.status} {(call.now_ns - started) / 1e6:.1f}ms")

    def _choose(self, shopper: Shopper, random: Random) -> tuple[str, dict[str, Any]]:
        """What the shopper does next, with the parameters of the endpoint."""
        endpoints, weights = zip(*_JOURNEY, strict=True)
        endpoint = random.choices(endpoints, weights)[0]
        if endpoint in {"GET /cart", "POST /checkout"} and not self._world.carts.get(shopper.session_id):
            endpoint = "POST /cart/items"
        if endpoint == "GET /orders/{order_id}" and not shopper.orders:
            endpoint = "GET /"
        session, currency = {"session_id": shopper.session_id}, {"currency": shopper.currency}
        product = some_product(random)
        match endpoint:
            case "GET /products/{product_id}":
                return endpoint, session | currency | {"product_id": product}
            case "GET /search":
                return endpoint, session | currency | {"text": f"{random.choice(_WORDS)} {random.choice(_THINGS)}"}
            case "GET /categories/{category}":
                return endpoint, session | currency | {
                    "category": category(product) if random.random() < 0.7 else random.choice(CATEGORIES)
                }
            case "POST /cart/items":
                return endpoint, session | {"product_id": product}
            case "POST /checkout":
                shopper.orders.append(f"o-{random.getrandbits(40):010x}")
                return endpoint, session | currency | {"order_id": shopper.orders[-1]}
            case "GET /orders/{order_id}":
                return endpoint, session | {"order_id": random.choice(shopper.orders)}
            case _:
                return endpoint, session | currency

    def _next_shopper(self) -> Shopper:
        index = self._random.randrange(_SESSIONS)
        if self._random.random() < _NEW_SESSION:
            self._world.carts.pop(self._shoppers[index].session_id, None)
            self._shoppers[index] = self._newcomer()
        return self._shoppers[index]

    def _newcomer(self) -> Shopper:
        random = self._random
        return Shopper(
            session_id=f"{random.getrandbits(64):016x}",
            user_id=f"u-{random.randrange(60_000):05d}" if random.random() < 0.6 else None,
            currency=random.choices(CURRENCIES, (45, 22, 18, 8, 7))[0],
            browser=random.choice(_BROWSERS),
            address=f"203.0.113.{random.randrange(1, 255)}",  # TEST-NET-3 (RFC 5737): nobody's address
            orders=deque(maxlen=5),
        )
