"""Which headers cross the gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import tracing
from libs.common.testing import recorded_spans
from services.api_gateway.client_origin import ClientOrigin
from services.api_gateway.forwarded_headers import request_headers, response_headers

ORIGIN = ClientOrigin("198.51.100.9", "https", "mon.example", "198.51.100.9")
HOP_BY_HOP = [
    "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade",
]  # fmt: skip


def forwarded(*headers: tuple[str, str], identity: str | None = None, keep_authorization: bool = False):
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    sent = request_headers(
        raw, host=b"analytics:3002", origin=ORIGIN, request_id="r1", identity=identity,
        keep_authorization=keep_authorization,
    )  # fmt: skip
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in sent]


def test_a_plain_request_arrives_with_what_we_say_of_it() -> None:
    assert forwarded(("host", "mon.example"), ("accept", "a"), ("accept", "b"), ("user-agent", "curl")) == [
        ("host", "analytics:3002"),
        ("accept", "a"),
        ("accept", "b"),
        ("user-agent", "curl"),
        ("x-request-id", "r1"),
        ("x-forwarded-for", "198.51.100.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "mon.example"),
    ]


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Expect", "Cookie", "Forwarded", "X-Real-IP", "X-Forwarded-Prefix"])
def test_headers_of_one_connection_and_of_our_own_do_not_cross(name: str) -> None:
    assert name.lower() not in dict(forwarded((name, "x")))


def test_what_connection_names_does_not_cross_either() -> None:
    sent = dict(forwarded(("connection", "close, X-Secret-Hop"), ("x-secret-hop", "1"), ("x-other", "1")))
    assert "x-secret-hop" not in sent
    assert sent["x-other"] == "1"


def test_what_we_say_of_the_client_cannot_be_said_by_it() -> None:
    claims = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "ftp"), ("X-Request-Id", "mine"), ("Host", "evil")]
    sent = forwarded(*claims, *claims)
    for name, value in claims:
        assert (name.lower(), value) not in sent
        assert sum(other == name.lower() for other, _ in sent) == 1


@given(
    st.text("-_", min_size=2, max_size=2),
    st.lists(st.booleans(), min_size=14, max_size=14),
    st.sampled_from([None, "signed"]),
)
def test_an_identity_sent_by_a_client_never_crosses(separators: str, upper: list[bool], identity: str | None) -> None:
    plain = f"x{separators[0]}airis{separators[1]}identity"
    name = "".join(letter.upper() if up else letter for letter, up in zip(plain, [*upper, *upper], strict=False))
    sent = forwarded((name, "forged"), (name, "forged again"), identity=identity)
    assert [value for other, value in sent if other.replace("_", "-") == "x-airis-identity"] == (
        [] if identity is None else [identity]
    )


def test_authorization_crosses_only_to_who_checks_it() -> None:
    header = ("Authorization", "Bearer airis_x")
    assert "authorization" not in dict(forwarded(header))
    assert dict(forwarded(header, keep_authorization=True))["authorization"] == "Bearer airis_x"


header_names = st.text("abcXYZ-_09", min_size=1, max_size=20)
header_values = st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n\0"), max_size=30)


@given(st.lists(st.tuples(header_names | st.sampled_from(HOP_BY_HOP), header_values), max_size=8))
def test_whatever_crosses_was_sent_or_is_ours(headers: list[tuple[str, str]]) -> None:
    inbound = {(name.lower(), value) for name, value in headers}
    ours = {"host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    for name, value in forwarded(*headers):
        assert name in ours or (name, value) in inbound
        assert name not in {hop.lower() for hop in HOP_BY_HOP}


async def test_the_trace_goes_on_from_our_own_span() -> None:
    inbound = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert dict(forwarded(inbound))["traceparent"] == inbound[1]
    async with recorded_spans():
        with tracing.span("GET analytics", parent=tracing.extract(dict([inbound]))):
            ids = tracing.current_ids()
            sent = [value for name, value in forwarded(inbound) if name == "traceparent"]
    assert ids is not None
    assert ids[0] == "0af7651916cd43dd8448eb211c80319c"
    assert sent == [f"00-{ids[0]}-{ids[1]}-01"]


def returned(*headers: tuple[str, str], bodyless: bool = False) -> list[tuple[str, str]]:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    answer = response_headers(raw, base_url="http://analytics:3002", bodyless=bodyless)
    return [(name.decode(), value.decode()) for name, value in answer]


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Date", "Server", "Set-Cookie", "X-Request-Id", "X-Airis-Identity"])
def test_upstreams_do_not_speak_for_us(name: str) -> None:
    assert returned((name, "x"), ("ETag", '"1"')) == [("etag", '"1"')]


def test_a_redirect_of_the_upstream_to_itself_leads_to_us() -> None:
    assert returned(("Location", "http://analytics:3002/assets/?a=1")) == [("location", "/assets/?a=1")]
    for elsewhere in ("/relative", "http://analytics:30021/", "https://example.org/"):
        assert returned(("Location", elsewhere)) == [("location", elsewhere)]


def test_a_length_without_a_body_is_dropped() -> None:
    assert returned(("Content-Length", "10"), bodyless=True) == []
    assert returned(("Content-Length", "10")) == [("content-length", "10")]
