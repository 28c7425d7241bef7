"""The kinds of question the product asks its store, each over an hour and over a day."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks import query_data, telemetry

_HOUR, _DAY = 1.0, float(query_data.HOURS)


@dataclass(frozen=True)
class Question:
    """One request to analytics. `hours` is the length of the range, which ends where the data does; 0 for no range."""

    name: str
    path: str
    hours: float
    parameters: dict[str, Any] = field(default_factory=dict)
    next_page: bool = False


_TRACE_SEARCHES = {
    "everything": "",
    "service": "service=checkout",
    "operation": 'service=email name="SendEmail"',
    "duration": "duration>100ms",
    "status": "status=error",
    "attribute, 2 %": "http.route=/r/7",
    "attribute, 1 of 100,000": "user.id=u4242",
    "attribute, number": "http.response.status_code>=500",
    "attribute, boolean": "retry=true",
    "attribute, absent value": "user.id=nobody",
    "resource": "resource.host.name=node-1 status=error",
    "key of the resource, bare": "host.name=node-1 status=error",
    "resource, absent value": "resource.host.name=node-9",
    "combined": "service=checkout status=error duration>5ms http.route=/r/7",
    "OR over two keys": "(user.id=u17 OR http.route=/r/3) duration>10ms",
    "exists, negated": "NOT exists http.route",
    "regular expression, none": 'http.route=~"^/r/7[^0-9]"',
    "words in span name": "sendemail status=error",
    "event": "event.name=exception",
}
_LOG_SEARCHES = {
    "everything": "",
    "service, severity": "service=gateway severity>=error",
    "words": '"timed out"',
    "words, rare": '"order 424242"',
    "words, none": "nowhere-to-be-found",
    "words, Korean": "결제",
    "attribute": "http.route=/r/7",
    "attribute, 1 of 100,000": "user.id=u4242",
    "resource, severity": "resource.k8s.pod.name=cart-1 severity>=warn",
}


def questions(traces: dict[str, str], log_trace: str) -> list[Question]:
    """All of them. `traces` holds ids by the words that describe them; `log_trace` is the trace id of some log record."""
    by_id = [Question(f"trace by id, {age}", f"traces/{trace_id}", 0) for age, trace_id in traces.items()]
    return [*(one for hours in (_HOUR, _DAY) for one in _of_range(hours, log_trace)), *by_id]


def _of_range(hours: float, log_trace: str) -> list[Question]:
    def ask(name: str, path: str, *, next_page: bool = False, **parameters: Any) -> Question:
        return Question(name, path, hours, parameters, next_page)

    metric = f"metrics/{telemetry.METRIC}"
    return [
        ask("services", "services"),
        ask("service page", "services/checkout"),
        ask("operations", "services/checkout/operations"),
        *(ask(f"traces: {name}", "traces", query=query, limit=50) for name, query in _TRACE_SEARCHES.items()),
        ask("traces: second page", "traces", query="service=checkout", limit=50, next_page=True),
        ask("heat map", "traces/durations"),
        ask("heat map, service", "traces/durations", query="service=checkout"),
        ask("heat map, attribute", "traces/durations", query="http.route=/r/7"),
        *(ask(f"logs: {name}", "logs", query=query, limit=50) for name, query in _LOG_SEARCHES.items()),
        ask("logs: trace", "logs", query=f"trace_id={log_trace}", limit=50),
        ask("logs: second page", "logs", query='"timed out"', limit=50, next_page=True),
        ask("log histogram", "logs/histogram"),
        ask("log histogram, words", "logs/histogram", query='"timed out"'),
        ask("metrics", "metrics"),
        ask("metric points, service", metric, service="cart"),
        ask("metric points", metric),
        ask("attribute keys", "attributes", signal="traces"),
        ask("attribute values", "attributes", signal="traces", key="http.route"),
        ask("attribute values, rare key", "attributes", signal="traces", key="nowhere"),
        ask("resource values", "attributes", signal="traces", key="resource.host.name"),
        ask("services to choose from", "attributes", signal="logs", key="service"),
    ]
