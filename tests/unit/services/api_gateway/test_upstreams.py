"""The table of routes, and the connections."""

import pytest

from services.api_gateway.settings import GatewaySettings
from services.api_gateway.upstreams import READ_METHODS, open_upstreams, route_of


@pytest.mark.parametrize(
    ("path", "service", "scope"),
    [
        ("/api/v1/services", "analytics", "read"),
        ("/api/v1/services/shop/operations", "analytics", "read"),
        ("/api/v1/traces/durations", "analytics", "read"),
        ("/api/v1/logs", "analytics", "read"),
        ("/api/v1/metrics/http.server.duration", "analytics", "read"),
        ("/api/v1/attributes", "analytics", "read"),
        ("/v1/traces", "receiver", None),
        ("/v1/logs", "receiver", None),
        ("/v1/metrics", "receiver", None),
        ("/", "ui", None),
        ("/assets/app.js", "ui", None),
        ("/traces/abc", "ui", None),
        ("/v1/traces/x", "ui", None),
        ("/v1/profiles", "ui", None),
        ("//api/v1/services", "ui", None),
    ],
)
def test_where_paths_go(path: str, service: str, scope: str | None) -> None:
    route = route_of(path)
    assert route is not None
    assert (route.service, route.scope) == (service, scope)


def test_prefixes_end_at_segments() -> None:
    for path in (
        "/api/v1/servicesx",
        "/api/v1/servic",
        "/api/v1/queryx",
        "/api/v1/",
        "/api/v2/services",
        "/API/v1/services",
    ):
        route = route_of(path)
        assert route is not None
        assert route.service == "ui"


def test_only_the_receiver_gets_the_clients_own_authorization() -> None:
    for path in ("/api/v1/services", "/", "/v1/traces"):
        route = route_of(path)
        assert route is not None
        assert route.keeps_authorization == (route.service == "receiver")
        assert route.methods == (frozenset({"POST", "OPTIONS"}) if route.service == "receiver" else READ_METHODS)


async def test_each_upstream_has_connections_of_its_own_and_nothing_of_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    settings = GatewaySettings(upstream_read_timeout_seconds=7)
    async with open_upstreams(settings) as upstreams:
        assert str(upstreams["analytics"].base_url) == settings.analytics_url
        assert len({id(upstream.client) for upstream in upstreams.values()}) == 3
        for upstream in upstreams.values():
            assert upstream.client.timeout.read == 7
            assert not upstream.client.trust_env
            assert not upstream.client.follow_redirects
    assert all(upstream.client.is_closed for upstream in upstreams.values())
