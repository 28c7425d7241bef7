"""Paths, bodies and what becomes of an exchange; the wire itself is in tests/contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.types import Message

from libs.common.errors import (
    ClientClosedRequest,
    InvalidRequest,
    PayloadTooLarge,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from libs.common.testing import FakeClock
from services.api_gateway.forwarding import ForwardedResponse, Forwarding, RequestBody, request_target
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.upstreams import Upstream, route_of


def scope_of(raw: str, query: bytes = b"") -> dict:
    return {"type": "http", "path": unquote(raw), "raw_path": raw.encode("latin-1"), "query_string": query}


@pytest.mark.parametrize(
    ("raw", "query", "target"),
    [
        ("/", b"", b"/"),
        ("/api/v1/services/a%2Fb", b"", b"/api/v1/services/a%2Fb"),
        ("/api/v1/logs", b"query=a%20b&limit=5", b"/api/v1/logs?query=a%20b&limit=5"),
        ("/assets/app.min.js", b"", b"/assets/app.min.js"),
        ("/..well-known/...", b"", b"/..well-known/..."),
        ("/%252e%252e/x", b"", b"/%252e%252e/x"),
        ("/caf%C3%A9", b"", b"/caf%C3%A9"),
        ("//double", b"", b"//double"),
    ],
)
def test_the_target_is_what_the_client_wrote(raw: str, query: bytes, target: bytes) -> None:
    assert request_target(scope_of(raw, query)) == target


@pytest.mark.parametrize(
    "raw",
    [
        "/api/v1/services/../../../metrics", "/..", "/.", "/a/./b", "/%2e%2e/x", "/.%2E/x", "/a/%2E", "/a%2f..%2fb",
        "/a\\..\\b", "/a%5Cb", "/a%00b", "/a%0Ab", "/a%7Fb", "/caf\xe9", "relative", "*",
    ],
)  # fmt: skip
def test_a_path_that_may_be_read_in_two_ways_is_refused(raw: str) -> None:
    with pytest.raises(InvalidRequest):
        request_target(scope_of(raw))


@pytest.mark.parametrize("query", [b"a=\xff", b"a=b c", b"a=\r\nX: y", b"\0"])
def test_a_query_that_is_no_url_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequest, match="percent-encoded"):
        request_target(scope_of("/api/v1/logs", query))


segments = st.text("abc.%2eEfF/\\5cC-_~ \x00\x7f\xe9", max_size=25)


@given(segments)
def test_what_passes_is_resolved_alike_by_everybody(text: str) -> None:
    raw = "/" + text
    try:
        target = request_target(scope_of(raw))
    except InvalidRequest:
        return
    assert target == raw.encode("latin-1")
    # What a browser, a proxy or a file system would make of it is what we looked up.
    decoded = unquote(target.decode("ascii"))
    assert httpx.URL("http://x").copy_with(raw_path=target).raw_path == target
    assert not {"..", "."} & set(decoded.split("/"))


@given(segments)
def test_no_path_reaches_analytics_without_the_scope_to_read(text: str) -> None:
    for prefix in ("/api/v1/services", "/api/v1", "/api", "", "/v1"):
        route = route_of(unquote(f"{prefix}/{text}"))
        assert route is not None
        if route.service == "analytics":
            assert route.scope == "read"
        if unquote(f"{prefix}/{text}").startswith("/api/v1/services/"):
            assert route.service == "analytics"


def receiver(*messages: Message) -> Callable:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return receive


def chunk(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def request_with(*headers: tuple[str, str], method: str = "POST") -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "method": method, "path": "/v1/traces", "headers": raw, "query_string": b""})


async def test_a_body_comes_in_its_chunks_and_then_the_client_may_leave() -> None:
    messages = [chunk(b"ab"), chunk(b""), chunk(b"cd"), chunk(b"e", more=False), {"type": "http.disconnect"}]
    body = RequestBody(request_with(("transfer-encoding", "chunked")), receiver(*messages), 100)
    assert [part async for part in body.stream()] == [b"ab", b"cd", b"e"]
    assert await body.receive_after() == {"type": "http.disconnect"}


async def test_a_body_past_the_limit_is_refused_as_early_as_it_shows() -> None:
    with pytest.raises(PayloadTooLarge):
        RequestBody(request_with(("content-length", "101")), receiver(), 100)
    body = RequestBody(
        request_with(("transfer-encoding", "chunked")), receiver(chunk(b"x" * 60), chunk(b"x" * 41)), 100
    )
    with pytest.raises(PayloadTooLarge, match="100 bytes"):
        async for _ in body.stream():
            pass


async def test_a_client_that_leaves_while_it_sends_is_noticed() -> None:
    body = RequestBody(
        request_with(("transfer-encoding", "chunked")), receiver(chunk(b"a"), {"type": "http.disconnect"}), 100
    )
    with pytest.raises(ClientClosedRequest):
        async for _ in body.stream():
            pass
    assert await body.receive_after() == {"type": "http.disconnect"}


def test_a_request_without_a_body_is_sent_without_one() -> None:
    assert not RequestBody(request_with(), receiver(), 100).present
    assert not RequestBody(request_with(("content-length", "0")), receiver(), 100).present
    assert RequestBody(request_with(("content-length", "1")), receiver(), 100).present


class Breaking(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"half"
        raise httpx.ReadError("gone")


async def exchange(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[list[Message], CollectorRegistry]:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    registry = CollectorRegistry()
    forwarding = Forwarding(Upstream("analytics", httpx.URL("http://analytics"), client), b"/api/v1/logs", [], 100)
    response = ForwardedResponse(forwarding, GatewayMetrics(registry), FakeClock())
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.Event().wait()  # the client stays

    try:
        await response(request_with(method="GET").scope, receive, send)
    finally:
        await client.aclose()
    return sent, registry


def failing(error: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("sad", request=request)

    return answer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError, UpstreamUnavailable),
        (httpx.ConnectTimeout, UpstreamUnavailable),
        (httpx.PoolTimeout, UpstreamUnavailable),
        (httpx.RemoteProtocolError, UpstreamUnavailable),
        (httpx.ReadError, UpstreamUnavailable),
        (httpx.ReadTimeout, UpstreamTimeout),
        (httpx.WriteTimeout, UpstreamTimeout),
    ],
)
async def test_a_failing_upstream_is_a_problem_of_its_own(error, expected) -> None:
    with pytest.raises(expected) as raised:
        await exchange(failing(error))
    assert "analytics" in raised.value.detail
    assert "127.0.0.1" not in raised.value.detail
    if expected is UpstreamUnavailable:
        assert raised.value.retry_after == 2


async def test_a_broken_answer_is_left_unfinished() -> None:
    sent, registry = await exchange(lambda _: httpx.Response(200, stream=Breaking()))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]
    labels = {"upstream": "analytics", "outcome": "upstream-unavailable"}
    assert registry.get_sample_value("airis_gateway_upstream_requests_total", labels) == 1


async def test_an_answer_without_a_body_has_no_length() -> None:
    sent, _ = await exchange(lambda _: httpx.Response(304, headers={"Content-Length": "10", "ETag": '"1"'}))
    assert sent[0]["headers"] == [(b"etag", b'"1"')]
    assert sent[1] == {"type": "http.response.body", "body": b"", "more_body": False}
