"""catalog, search, recommendation and currency: what shoppers look at."""

from collections.abc import Mapping
from typing import Any

from demo.calls import INFO, WARN, Call, stable
from demo.failures import AppError, Rejected
from demo.kernel import Process
from demo.latency import Latency
from demo.stores import Database, External, Statement, cached, query, redis, request, search_index
from demo.world import Handler

Body = Mapping[str, Any]

CATALOG = Database("catalog", "catalog-db")
_PRODUCT = Statement(
    "SELECT products", "SELECT id, name, price, category FROM products WHERE id = $1", Latency(2.2, 14)
)
_FEATURED = Statement(
    "SELECT products",
    "SELECT id, name, price FROM products WHERE featured ORDER BY rank LIMIT $1",
    Latency(6, 45),
)
_CATEGORY = Statement(
    "SELECT products",
    "SELECT id, name, price FROM products WHERE category = $1 ORDER BY rank LIMIT $2 OFFSET $3",
    Latency(9, 70),
)
_PRODUCTS = Statement("SELECT products", "SELECT id, name, price FROM products WHERE id = ANY($1)", Latency(4, 25))
_RATES = External("api.rates.example", Latency(120, 900), failing=0.01)
_MODEL = Latency(18, 80)
_SMALL = Latency(1.5, 8)


def product(call: Call, product_id: str) -> Process[Body]:
    call.note(product_id=product_id)
    yield from call.compute(_SMALL)
    if stable(product_id, 97) == 3:
        call.log(INFO, f"product {product_id} not found")
        raise Rejected(404, f"no product {product_id}")
    yield from cached(call, "catalog-cache", "product", product_id, 90, lambda: query(call, CATALOG, _PRODUCT, rows=1))
    return {}


def featured(call: Call) -> Process[Body]:
    yield from call.compute(_SMALL)
    yield from cached(call, "catalog-cache", "list", "featured", 30, lambda: query(call, CATALOG, _FEATURED, rows=12))
    return {}


def category(call: Call, category: str) -> Process[Body]:
    call.note(category=category)
    yield from call.compute(_SMALL)
    yield from query(call, CATALOG, _CATEGORY, rows=24)
    if call.random.random() < 0.012:  # every shop has a bug that nobody has found worth fixing
        raise AppError(
            "KeyError", "'thumbnail'", origin=("shop/catalog/mapping.py", "to_card", 'image=row["thumbnail"],')
        )
    return {}


def products(call: Call, count: int) -> Process[Body]:
    yield from call.compute(_SMALL)
    yield from query(call, CATALOG, _PRODUCTS, rows=count)
    return {}


def search(call: Call, text: str) -> Process[Body]:
    with call.operation("parse query", attributes={"shop.search.text": text}) as parsing:
        yield from parsing.compute(Latency(0.8, 4))
    hits = stable(text, 60) if stable(text, 13) else 0
    yield from search_index(call, "products-v7", text, Latency(22, 160), hits)
    call.note(search_hits=hits)
    call.instance.telemetry.record("shop.search.results", hits, {})
    if hits:
        yield from call.http("catalog", "POST /products/batch", count=min(hits, 20))
    else:
        call.log(INFO, f"no results for {text!r}")
    return {"hits": hits}


def recommend(call: Call, session_id: str) -> Process[Body]:
    yield from redis(call, "feature-store", "HGETALL", f"features:{session_id}")
    with call.operation(
        "score candidates", attributes={"shop.model.name": "two-tower", "shop.model.candidates": 200}
    ) as scoring:
        yield from scoring.compute(_MODEL)
        if call.random.random() < 0.006:
            scoring.log(INFO, "model shard evicted, loading it again")
            yield from scoring.pause(call.random.uniform(0.6, 2.0))
        if call.instance.memory_pressure > 0.8:
            scoring.log(
                WARN,
                f"memory is short: {call.instance.memory_mib:.0f} MiB of {call.instance.service.memory_limit_mib} MiB",
            )
    yield from call.http("catalog", "POST /products/batch", timeout=0.5, retries=0, count=6)
    return {}


def convert(call: Call, currency: str) -> Process[Body]:
    call.note(currency=currency)
    yield from call.compute(Latency(0.6, 3))
    yield from cached(call, "rates-cache", "rate", currency, 300, lambda: refresh_rates(call))
    return {}


def refresh_rates(call: Call) -> Process[None]:
    status = yield from request(call, _RATES, "GET", "/v2/latest?base=USD", timeout=2.0)
    if status == 200:
        call.log(INFO, "exchange rates refreshed")
    else:
        call.log(WARN, f"rates provider answered {status}, keeping yesterday's rates")


ENDPOINTS: Mapping[tuple[str, str], Handler] = {
    ("catalog", "GET /products/{product_id}"): product,
    ("catalog", "GET /featured"): featured,
    ("catalog", "GET /categories/{category}"): category,
    ("catalog", "POST /products/batch"): products,
    ("search", "GET /search"): search,
    ("recommendation", "GET /recommendations"): recommend,
    ("currency", "shop.currency.v1.Currency/Convert"): convert,
}
