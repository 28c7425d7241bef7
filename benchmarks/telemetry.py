"""OTLP as a shop of ten services would send it.

Encoded by hand from fragments, because building messages with the protobuf library would take most of a benchmark's time. Spans
have about 410 bytes: 3 of 4 are HTTP, 1 of 4 a database call, about ten attributes each with the usual skew (50 routes, 100,000
users, millions of paths), eleven on the resource; 4 % carry an error with an exception event. Everything follows from the seed.
"""

import random
import struct
from collections.abc import Iterator
from functools import cache

from services.ingestion.envelopes import varint

SERVICES = (
    "frontend", "gateway", "checkout", "cart", "catalog", "payment", "shipping", "currency", "email", "recommend",
)  # fmt: skip
_OPERATIONS = (
    "GET /", "GET /api/{path}", "POST /checkout", "GetCart", "ListProducts", "Charge", "ShipOrder", "Convert", "SendEmail",
    "Recommend",
)  # fmt: skip
SPANS_OF_TRACE = len(SERVICES)
PODS = 3
METRIC = "http.server.requests"
_SERIES_OF_SERVICE = 20
_QUERY = "SELECT id, status, total FROM orders WHERE customer_id = $1 ORDER BY id DESC LIMIT 20"
_fixed64 = struct.Struct("<Q").pack


def _bytes(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _value(value: str | int | bool) -> bytes:
    if isinstance(value, bool):
        return b"\x10" + varint(int(value))
    return b"\x18" + varint(value) if isinstance(value, int) else _text(1, value)


def _attribute(field: int, key: str, value: str | int | bool) -> bytes:
    """KeyValue as field number `field`."""
    return _bytes(field, _text(1, key) + _bytes(2, _value(value)))


_known = cache(_attribute)


@cache
def _resource(service: str, pod: int) -> bytes:
    attributes: dict[str, str | int] = {
        "service.name": service,
        "service.namespace": "shop",
        "service.version": "2.14.3",
        "service.instance.id": f"{service}-6c9d7b8f5-{pod:05x}",
        "deployment.environment.name": "production",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": f"{service}-{pod}",
        "host.name": f"node-{pod}",
        "process.pid": pod + 1,
        "telemetry.sdk.language": "java",
        "telemetry.sdk.version": "1.49.0",
    }
    return _bytes(1, b"".join(_attribute(1, key, value) for key, value in attributes.items()))


_SCOPE = _bytes(1, _text(1, "io.opentelemetry.tomcat-10.0") + _text(2, "2.15.0-alpha"))


def _grouped(service: str, pod: int, records: list[bytes]) -> bytes:
    """Records under their resource and scope, as element of a request; spans, logs and metrics share these numbers."""
    return _bytes(1, _resource(service, pod) + _bytes(2, _SCOPE + b"".join(records)))


@cache
def _span_head(place: int, variant: int, *, database: bool) -> bytes:
    """Name, kind and the attributes that a service always sends."""
    if database:
        return b"".join((
            _text(5, "SELECT shop.orders"), b"\x30\x03",
            _attribute(9, "db.system.name", "postgresql"), _attribute(9, "db.namespace", "shop"),
            _attribute(9, "db.operation.name", "SELECT"), _attribute(9, "db.query.text", _QUERY),
            _attribute(9, "server.address", "pg-orders-rw.shop.svc.cluster.local"), _attribute(9, "server.port", 5432),
        ))  # fmt: skip
    name = f"{_OPERATIONS[place]}{variant}" if place == 1 else _OPERATIONS[place]
    return b"".join((
        _text(5, name), b"\x30\x02" if place % 2 == 0 else b"\x30\x03",
        _attribute(9, "http.request.method", "POST" if variant % 4 == 0 else "GET"),
        _attribute(9, "server.address", SERVICES[(place + 1) % 10]), _attribute(9, "server.port", 8080),
        _attribute(9, "url.scheme", "http"), _attribute(9, "user_agent.original", "okhttp/4.12.0"),
    ))  # fmt: skip


def _exception(at: int) -> bytes:
    attributes = _known(3, "exception.type", "java.net.SocketTimeoutException") + _known(
        3, "exception.message", "Read timed out"
    )
    return _bytes(11, b"\x09" + _fixed64(at) + _text(2, "exception") + attributes) + _known_status()


@cache
def _known_status() -> bytes:
    return _bytes(15, _text(2, "Read timed out") + b"\x18\x02")


def _span(
    dice: random.Random, trace_id: bytes, span_id: bytes, parent: bytes, place: int, start: int, user: int, route: int
) -> bytes:
    draw = dice.getrandbits(40)
    error = draw % 25 == 7
    database = place % 4 == 3
    duration = int(dice.lognormvariate(14.5, 1.2))  # median 2 ms, 1 % above 32 ms
    body = [
        b"\x0a\x10", trace_id, b"\x12\x08", span_id, b"\x22\x08" + parent if parent else b"",
        _span_head(place, user % 20, database=database), b"\x39", _fixed64(start), b"\x41", _fixed64(start + duration),
        _known(9, "user.id", f"u{user}"), _known(9, "thread.id", 20 + draw % 200),
    ]  # fmt: skip
    if database:
        body += (
            _known(9, "db.response.returned_rows", draw % 20),
            _known(9, "thread.name", f"http-nio-8080-exec-{draw % 200}"),
        )
    else:
        body += (
            _known(9, "http.route", f"/r/{route}"),
            _attribute(9, "url.path", f"/r/{route}/{draw % 10_000_000}"),
            _known(9, "http.response.status_code", 500 if error else 200),
            _attribute(9, "client.address", f"10.0.{draw >> 8 & 255}.{draw >> 16 & 255}"),
        )
    if draw % 50 == 0:
        body.append(_known(9, "retry", value=True))
    if error:
        body.append(_exception(start + 1000))
    body.append(b"\x85\x01\x01\x01\x00\x00")  # flags, field 16
    return _bytes(2, b"".join(body))


def one_service_request(seed: int, spans: int, start: int) -> bytes:
    """An ExportTraceServiceRequest of one service, as its SDK sends it: `spans` spans that began within a second."""
    dice = random.Random(seed)
    made = []
    for number in range(spans):
        user, at = dice.getrandbits(30) % 100_000, start + dice.getrandbits(40) % 10**9
        parent = dice.randbytes(8) if number % 4 else b""
        place = number % 4 if number % 4 == 3 else 2
        made.append(_span(dice, dice.randbytes(16), dice.randbytes(8), parent, place, at, user, user % 50))
    return _grouped("checkout", seed % PODS, made)


def shop_requests(seed: int, traces: int, start: int, length: int) -> list[tuple[bytes, int]]:
    """Whole traces of ten spans, one in each service, spread over `length` ns: what each pod's SDK sends of them.

    30 requests, each with the number of its spans, about a third of `traces`. Joined they are one request, as of a collector.
    """
    dice = random.Random(seed)
    grouped: dict[tuple[int, int], list[bytes]] = {}
    for number in range(traces):
        user = dice.getrandbits(30) % 100_000
        at = start + number * length // traces
        trace_id, ids = dice.randbytes(16), [dice.randbytes(8) for _ in SERVICES]
        for place in range(SPANS_OF_TRACE):
            parent = ids[(place - 1) // 2] if place else b""
            made = _span(dice, trace_id, ids[place], parent, place, at + place * 1_000_000, user, user % 50)
            grouped.setdefault((place, user % PODS), []).append(made)
    return [(_grouped(SERVICES[place], pod, made), len(made)) for (place, pod), made in grouped.items()]


def shop_logs(seed: int, records: int, start: int, length: int) -> bytes:
    """A request of log records of all services: 2 % errors, 5 % warnings, some in Korean."""
    dice = random.Random(seed)
    grouped: dict[tuple[int, int], list[bytes]] = {}
    for number in range(records):
        draw, at = dice.getrandbits(60), start + number * length // records
        user, route, order = draw % 100_000, draw % 50, draw >> 20 & 0xFFFFF
        severity = 17 if draw % 100 < 2 else 13 if draw % 100 < 7 else 9
        if severity == 17:
            text = f"Request to payment timed out after {draw % 30000} ms: upstream did not answer, order {order}"
        elif draw % 1000 == 8:
            text = f"결제 실패: 주문 {order}"
        else:
            text = f"GET /r/{route}/{draw % 10_000_000} 200 in {draw % 900} ms for user u{user}"
        made = b"".join((
            b"\x09", _fixed64(at), b"\x10", varint(severity), _log_level(severity), _bytes(5, _text(1, text)),
            _known(6, "http.route", f"/r/{route}"), _known(6, "user.id", f"u{user}"), _known(6, "log.file.name", "app.log"),
            _known(6, "thread.id", draw % 16), b"\x45\x01\x00\x00\x00", b"\x4a\x10", dice.randbytes(16),
            b"\x52\x08", dice.randbytes(8), b"\x59", _fixed64(at),
        ))  # fmt: skip
        grouped.setdefault((draw % 10, draw // 10 % PODS), []).append(_bytes(2, made))
    return b"".join(_grouped(SERVICES[place], pod, made) for (place, pod), made in grouped.items())


@cache
def _log_level(severity: int) -> bytes:
    return _text(3, {17: "ERROR", 13: "WARN", 9: "INFO"}[severity])


def shop_metrics(tick: int, start: int, step: int) -> bytes:
    """A request with one point of each of 600 counters: 20 routes of ten services on three pods."""
    at = _fixed64(start + tick * step)
    groups = []
    for service in SERVICES:
        for pod in range(PODS):
            points = [
                _bytes(1, b"\x11" + _fixed64(start) + b"\x19" + at + b"\x31" + _fixed64(tick * 7 + route)
                       + _known(7, "http.route", f"/r/{route}"))
                for route in range(_SERIES_OF_SERVICE)
            ]  # fmt: skip
            counter = _bytes(7, b"".join(points) + b"\x10\x02\x18\x01")
            metric = _text(1, METRIC) + _text(2, "Requests answered") + _text(3, "{request}") + counter
            groups.append(_grouped(service, pod, [_bytes(2, metric)]))
    return b"".join(groups)


POINTS_OF_TICK = len(SERVICES) * PODS * _SERIES_OF_SERVICE


def varied_requests(count: int, spans: int, start: int) -> Iterator[bytes]:
    """`count` different requests of `spans` spans."""
    return (one_service_request(seed, spans, start) for seed in range(count))
