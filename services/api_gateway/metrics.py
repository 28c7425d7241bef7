"""What the gateway counts, beside the HTTP metrics every service has."""

from libs.common.metrics import Metrics, counter, histogram


class GatewayMetrics(Metrics):
    authentications = counter(
        "airis_gateway_authentications_total",
        "Requests to /api by how they said who they are, and what came of it.",
        unit="requests",
        labels=("method", "outcome"),
    )
    sign_ins = counter("airis_gateway_sign_ins_total", "Tries to sign in.", unit="sign_ins", labels=("outcome",))
    rate_limit_decisions = counter(
        "airis_gateway_rate_limit_decisions_total",
        "Decisions of the rate limiter; those that end in _alone were made without Redis, by this gateway's own buckets.",
        unit="requests",
        labels=("limit", "decision"),
    )
    session_checks_skipped = counter(
        "airis_gateway_session_checks_skipped_total",
        "Requests let through without asking whether their session was ended, because the control store was away.",
        unit="requests",
    )
    upstream_requests = counter(
        "airis_gateway_upstream_requests_total",
        "Forwarded requests by how the exchange with the upstream ended.",
        unit="requests",
        labels=("upstream", "outcome"),
    )
    upstream_response_seconds = histogram(
        "airis_gateway_upstream_response_seconds",
        "Time until the upstream's response head.",
        unit="seconds",
        labels=("upstream",),
    )
