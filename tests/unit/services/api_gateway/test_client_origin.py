"""Whom we believe about where a request comes from."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from services.api_gateway.client_origin import client_origin, require_same_site
from services.api_gateway.errors import CrossSiteRequest

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def connection(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (("Host", "airis.example"), *headers)]
    client = (peer, 1234) if peer is not None else None
    return HTTPConnection({"type": "http", "scheme": scheme, "client": client, "headers": raw, "path": "/"})


@pytest.mark.parametrize(
    ("forwarded", "address", "handed_on"),
    [
        pytest.param([], "10.0.0.1", "10.0.0.1", id="the proxy itself asks"),
        pytest.param(["198.51.100.9"], "198.51.100.9", "198.51.100.9, 10.0.0.1", id="one client"),
        pytest.param(["1.1.1.1, 198.51.100.9"], "198.51.100.9", "198.51.100.9, 10.0.0.1", id="what the client wrote"),
        pytest.param(["198.51.100.9, 10.2.2.2"], "198.51.100.9", "198.51.100.9, 10.2.2.2, 10.0.0.1", id="two proxies"),
        pytest.param(["198.51.100.9", "10.2.2.2"], "198.51.100.9", "198.51.100.9, 10.2.2.2, 10.0.0.1", id="two lines"),
        pytest.param(["10.3.3.3, 10.2.2.2"], "10.3.3.3", "10.3.3.3, 10.2.2.2, 10.0.0.1", id="inside only"),
        pytest.param(["evil, 10.2.2.2"], "10.2.2.2", "10.2.2.2, 10.0.0.1", id="no address"),
        pytest.param(["2001:db8::7"], "2001:db8::7", "2001:db8::7, 10.0.0.1", id="IPv6"),
    ],
)
def test_behind_a_trusted_proxy_the_last_untrusted_hop_is_the_client(forwarded, address, handed_on) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    origin = client_origin(
        connection("10.0.0.1", *headers, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "mon.example")), PROXIES
    )
    assert (origin.address, origin.forwarded_for) == (address, handed_on)
    assert (origin.scheme, origin.host) == ("https", "mon.example")


@given(st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=60))
def test_without_trust_nothing_the_client_writes_is_believed(text: str) -> None:
    headers = [(name, text) for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")]
    for trusted in ((), PROXIES):
        origin = client_origin(connection("198.51.100.9", *headers), trusted)
        assert (origin.address, origin.forwarded_for) == ("198.51.100.9", "198.51.100.9")
        assert (origin.scheme, origin.host) == ("http", "airis.example")


@given(st.lists(st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n,"), max_size=20), max_size=5))
def test_a_trusted_proxy_that_passes_on_rubbish_does_not_break_us(hops: list[str]) -> None:
    origin = client_origin(
        connection("10.0.0.1", ("X-Forwarded-For", ", ".join(hops)), ("X-Forwarded-Proto", "gopher")), PROXIES
    )
    assert origin.forwarded_for.endswith("10.0.0.1")
    assert origin.scheme == "http"


def test_a_connection_without_an_address_has_none() -> None:
    assert client_origin(connection(None), PROXIES).address == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "http://airis.example"},
        {"origin": "http://airis.example"},
        {"origin": "https://AIRIS.example"},
    ],
)
@pytest.mark.parametrize("proof", [True, False])
def test_our_own_pages_may_change_things(headers, proof) -> None:
    require_same_site(Headers(headers), "airis.example", proof=proof)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://airis.example"},
        {"sec-fetch-site": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://airis.example.evil.example"},
        {"origin": "http://airis.example:8080"},
        {"origin": "http://evil.example/airis.example"},
        {"origin": "http://airis.example@evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[::1"},
        {"origin": "file://airis.example"},
    ],
)
@pytest.mark.parametrize("proof", [True, False])
def test_other_pages_may_not(headers, proof) -> None:
    with pytest.raises(CrossSiteRequest):
        require_same_site(Headers(headers), "airis.example", proof=proof)


def test_silence_is_enough_only_where_no_cookie_speaks() -> None:
    require_same_site(Headers({}), "airis.example", proof=False)
    with pytest.raises(CrossSiteRequest):
        require_same_site(Headers({}), "airis.example", proof=True)


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_origin_but_ours_passes(origin: str) -> None:
    if origin.lower() not in {"http://airis.example", "https://airis.example"}:
        with pytest.raises(CrossSiteRequest):
            require_same_site(Headers({"origin": origin}), "airis.example", proof=True)
