"""What the shop emits, looked at as somebody would who receives it."""

from collections import Counter, defaultdict

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from demo.kernel import NANOS
from demo.simulation import ENDPOINTS
from tests.unit.demo.conventions import attribute_names
from tests.unit.demo.shops import START_NS, Shop, by_trace, parents, seconds, service

# Who calls whom. A change here is a change of the picture in the docs.
CALLS = {
    ("storefront", "catalog"),
    ("storefront", "search"),
    ("storefront", "cart"),
    ("storefront", "checkout"),
    ("storefront", "inventory"),
    ("storefront", "shipping"),
    ("storefront", "recommendation"),
    ("storefront", "currency"),
    ("search", "catalog"),
    ("recommendation", "catalog"),
    ("checkout", "cart"),
    ("checkout", "currency"),
    ("checkout", "shipping"),
    ("checkout", "inventory"),
    ("checkout", "fraud-check"),
    ("checkout", "payment"),
}
STORES = {
    ("storefront", "redis", "session-cache"),
    ("catalog", "postgresql", "catalog-db"),
    ("catalog", "redis", "catalog-cache"),
    ("search", "opensearch", "opensearch"),
    ("cart", "redis", "cart-store"),
    ("checkout", "postgresql", "orders-db"),
    ("payment", "postgresql", "payments-db"),
    ("inventory", "postgresql", "inventory-db"),
    ("shipping", "postgresql", "shipping-db"),
    ("shipping", "redis", "shipping-cache"),
    ("recommendation", "redis", "feature-store"),
    ("currency", "redis", "rates-cache"),
    ("fraud-check", "redis", "velocity-store"),
}
OUTSIDE = {
    ("payment", "api.cardpay.example"),
    ("shipping", "rates.parcel.example"),
    ("notification", "api.mailrelay.example"),
    ("currency", "api.rates.example"),
}


def test_every_edge_between_services_appears_and_no_other(quiet):
    edges = {(service(parent), service(child)) for parent, child in parents(quiet.spans)}
    assert {edge for edge in edges if edge[0] != edge[1]} == CALLS


def test_every_store_and_outside_api_appears_and_no_other(quiet):
    clients = [span for span in quiet.spans if span.kind is SpanKind.CLIENT]
    assert {
        (service(span), span.attributes["db.system.name"], span.attributes["server.address"])
        for span in clients
        if "db.system.name" in span.attributes
    } == STORES
    assert {
        (service(span), span.attributes["server.address"])
        for span in clients
        if str(span.attributes["server.address"]).endswith(".example")
    } == OUTSIDE


def test_every_endpoint_is_called(quiet):
    called = {(service(span), span.name) for span in quiet.spans if span.kind is SpanKind.SERVER}
    assert called == set(ENDPOINTS)


def test_children_lie_within_their_parents(quiet):
    pairs = parents(quiet.spans)
    assert len(pairs) > 10_000
    for parent, child in pairs:
        assert parent.start_time <= child.start_time
        assert child.start_time <= child.end_time <= parent.end_time


def test_a_call_crosses_the_network(quiet):
    crossings = [(parent, child) for parent, child in parents(quiet.spans) if child.kind is SpanKind.SERVER]
    for client, server in crossings:
        assert client.kind is SpanKind.CLIENT
        assert client.start_time < server.start_time
        assert server.end_time <= client.end_time
        assert server.parent.is_remote


def test_traces_are_whole_and_have_one_root(quiet):
    for spans in by_trace(quiet.spans).values():
        assert sum(span.parent is None for span in spans) == 1


def test_ids_are_unique_and_random_enough(quiet):
    ids = [span.context.span_id for span in quiet.spans]
    assert len(set(ids)) == len(ids)
    assert all(span.context.trace_flags.random_trace_id for span in quiet.spans[:100])


def test_an_order_as_a_whole(quiet):
    trace = next(
        spans
        for spans in by_trace(quiet.spans).values()
        if any(span.name == "POST /checkout" for span in spans)
        and any(span.name == "send orders.placed" for span in spans)
    )
    servers = Counter((service(span), span.name) for span in trace if span.kind is SpanKind.SERVER)
    assert servers == {
        ("storefront", "POST /checkout"): 1,
        ("checkout", "POST /orders"): 1,
        ("cart", "GET /carts/{session_id}"): 1,
        ("cart", "DELETE /carts/{session_id}"): 1,
        ("shipping", "POST /quotes"): 1,
        ("currency", "shop.currency.v1.Currency/Convert"): 1,
        ("inventory", "POST /reservations"): 1,
        ("fraud-check", "shop.fraud.v1.FraudCheck/Score"): 1,
        ("payment", "POST /charges"): 1,
    }
    assert Counter(span.name for span in trace if service(span) == "inventory") == {
        "POST /reservations": 1,
        "SELECT stock": 1,
        "UPDATE stock": 1,
        "INSERT reservations": 1,
    }


def test_consumers_are_linked_to_producers_in_other_traces(quiet):
    producers = {span.context.span_id: span for span in quiet.spans if span.kind is SpanKind.PRODUCER}
    consumers = [span for span in quiet.spans if span.kind is SpanKind.CONSUMER]
    read = defaultdict(set)
    for span in consumers:
        (link,) = span.links
        producer = producers[link.context.span_id]
        assert link.context.trace_id == producer.context.trace_id != span.context.trace_id
        assert producer.start_time < span.start_time
        assert span.attributes["messaging.destination.name"] == producer.attributes["messaging.destination.name"]
        assert span.attributes["messaging.kafka.offset"] == producer.attributes["messaging.kafka.offset"]
        assert span.attributes.get("session.id") == producer_session(quiet, producer)
        read[service(span), span.attributes["messaging.destination.name"]].add(link.context.span_id)
    sent = {
        name: {i for i, p in producers.items() if p.name == f"send {name}"}
        for name in ("orders.placed", "shipments.created")
    }
    assert read == {
        ("shipping", "orders.placed"): sent["orders.placed"],
        ("notification", "orders.placed"): sent["orders.placed"],
        ("notification", "shipments.created"): sent["shipments.created"],
    }
    assert all(sent.values())


def producer_session(shop, producer):
    """The session id travels as baggage: it is on the entry spans of the producer's trace."""
    return next(
        span.attributes["session.id"]
        for span in by_trace(shop.spans)[producer.context.trace_id]
        if span.kind in {SpanKind.SERVER, SpanKind.CONSUMER}
    )


def test_span_attributes_are_current_conventions_or_our_own(quiet):
    names = {name for span in quiet.spans for name in span.attributes}
    names |= {name for span in quiet.spans for event in span.events for name in event.attributes}
    names |= {name for span in quiet.spans for link in span.links for name in link.attributes}
    names |= {name for record in quiet.logs for name in record.log_record.attributes}
    names |= {name for span in quiet.spans for name in span.resource.attributes}
    foreign = {name for name in names if not name.startswith("shop.")} - attribute_names()
    # The SDK writes it, although the conventions have given it up.
    assert foreign == {"exception.escaped"}


@pytest.mark.parametrize(
    ("of", "required"),
    [
        (
            "http.route",
            {"http.request.method", "url.path", "url.scheme", "server.address", "http.response.status_code"},
        ),
        ("url.full", {"http.request.method", "server.address", "server.port"}),
        ("rpc.method", {"rpc.system.name", "server.address", "rpc.response.status_code"}),
        ("db.system.name", {"db.operation.name", "server.address", "server.port", "db.query.text"}),
        ("messaging.system", {"messaging.destination.name", "messaging.operation.type", "messaging.operation.name"}),
    ],
)
def test_required_attributes_are_there(quiet, of, required):
    spans = [span for span in quiet.spans if of in span.attributes]
    assert spans
    for span in spans:
        assert required <= set(span.attributes)


def test_resources_tell_who_and_where(quiet):
    resources = {span.resource for span in quiet.spans}
    instances = {resource.attributes["service.instance.id"] for resource in resources}
    assert len(instances) == len(resources) >= 24
    assert {resource.attributes["service.namespace"] for resource in resources} == {"shop"}
    assert len({resource.attributes["k8s.pod.name"] for resource in resources}) == len(resources)
    for resource in resources:
        assert {"service.name", "service.version", "deployment.environment.name", "host.name", "k8s.node.name"} <= set(
            resource.attributes
        )


def test_failures_are_marked_the_way_the_conventions_say(quiet):
    for span in quiet.spans:
        failed = span.status.status_code is StatusCode.ERROR
        assert failed == ("error.type" in span.attributes)
        status = span.attributes.get("http.response.status_code", 0)
        if span.kind is SpanKind.SERVER and status < 500 and status != 499:
            assert not failed
        if span.kind is SpanKind.CLIENT and status >= 400:
            assert failed


def test_exceptions_have_type_message_and_stack_trace(quiet):
    events = [(span, event) for span in quiet.spans for event in span.events if event.name == "exception"]
    assert events
    for span, event in events:
        assert span.start_time <= event.timestamp <= span.end_time
        text = event.attributes["exception.stacktrace"]
        assert text.startswith("Traceback (most recent call last):\n  File ")
        assert text.endswith(f"{event.attributes['exception.type']}: {event.attributes['exception.message']}\n")
        assert f"/app/shop/{service(span).replace('-', '_')}/" in text


def test_there_are_errors_and_slow_calls_without_any_fault(quiet):
    pages = [span for span in quiet.spans if service(span) == "storefront" and span.kind is SpanKind.SERVER]
    failed = [span for span in pages if span.status.status_code is StatusCode.ERROR]
    assert 0 < len(failed) / len(pages) < 0.01
    durations = sorted(map(seconds, pages))
    assert durations[len(pages) // 2] < 0.1
    assert durations[-1] > 0.7


def test_caches_hit_and_miss(quiet):
    found = Counter()
    for name, metric in quiet.metrics():
        if name == "catalog" and metric.name == "shop.cache.lookups":
            for point in metric.data.data_points:
                found[point.attributes["shop.cache.result"]] += point.value
    assert found["hit"] > found["miss"] > 0


def test_logs_belong_to_spans(quiet):
    spans = {(span.context.trace_id, span.context.span_id): span for span in quiet.spans}
    correlated = 0
    for record in quiet.logs:
        log = record.log_record
        if span := spans.get((log.trace_id, log.span_id)):
            assert span.start_time <= log.timestamp <= span.end_time
            assert record.resource == span.resource
            correlated += 1
    assert correlated > 500
    # Access lines are written when the request is over, starts and kills outside of any.
    assert correlated / len(quiet.logs) > 0.3
    assert {record.log_record.severity_text for record in quiet.logs} == {"DEBUG", "INFO", "WARN", "ERROR"}


def test_some_logs_have_a_structure(quiet):
    assert any(isinstance(record.log_record.body, dict) for record in quiet.logs)


def test_the_same_seed_and_start_give_the_same_telemetry():
    def run(seed="s"):
        with Shop(seed=seed).run(60, "payment-errors", "bad-deploy-cart") as shop:
            return (
                [span.to_json() for span in shop.spans],
                [record.to_json() for record in shop.logs],
                [(name, metric.to_json()) for name, metric in shop.metrics()],
            )

    first, second = run(), run()
    assert first == second
    assert len(first[0]) > 1_000
    assert run("another")[0] != first[0]


def test_nothing_is_of_the_future_and_it_comes_in_time():
    with Shop(rate=20.0) as shop:
        seen = logged = 0
        for _ in range(40):
            before = shop.simulation.now_ns
            shop.run(0.25)
            spans, logs = shop.spans, shop.logs
            for span in spans[seen:]:
                assert before <= span.end_time <= shop.simulation.now_ns
            for record in logs[logged:]:
                assert before <= record.log_record.timestamp <= shop.simulation.now_ns
            seen, logged = len(spans), len(logs)
        assert seen > 1_000


def test_requests_come_at_the_rate_asked_for(quiet):
    pages = [span for span in quiet.spans if service(span) == "storefront" and span.kind is SpanKind.SERVER]
    assert len(pages) == pytest.approx(600 * 4.0, rel=0.3)
    assert all(START_NS <= span.start_time <= START_NS + 600 * NANOS for span in pages)


def test_closing_ends_every_span_that_began():
    with Shop(rate=20.0).run(20, *("checkout-latency", "inventory-db-lock")) as shop:
        before = {span.context.span_id for span in shop.spans}
        orphans = [span for span in shop.spans if span.parent and span.parent.span_id not in before]
        assert orphans
    ended = {span.context.span_id for span in shop.spans}
    assert all(span.parent.span_id in ended for span in orphans)
