"""Forwarding on the wire: both servers are the real ones, on loopback."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common.testing import free_port
from libs.common.web.server import serve
from services.api_gateway.dependencies import State
from services.api_gateway.settings import GatewaySettings
from services.api_gateway.upstreams import open_upstreams
from tests.fixtures.gateway import GatewayUnderTest, bearer, gateway_on_fakes, until, with_state

Handler = Callable[["Peer", Scope, Receive, Send], Awaitable[None]]


@dataclass
class Peer:
    """An upstream that does what a test needs, and remembers what it saw."""

    handler: Handler
    seen: list[dict[str, object]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    left: int = 0
    proceed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.seen.append({"method": scope["method"], "raw_path": scope["raw_path"], "query": scope["query_string"],
                          "headers": headers})  # fmt: skip
        await self.handler(self, scope, receive, send)

    async def drain(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            self.received.append(message.get("body", b""))
            if not message.get("more_body"):
                return

    async def wait_for_the_end(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1


async def respond(send: Send, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, stop, listening=listening))
    try:
        async with asyncio.timeout(10):
            yield f"http://127.0.0.1:{await listening}"
    finally:
        stop.set()
        await task


@dataclass
class Running:
    gateway: GatewayUnderTest
    peer: Peer
    url: str
    client: httpx.AsyncClient
    peer_host: str

    def outcome(self, upstream: str, outcome: str) -> float:
        return self.gateway.metric("airis_gateway_upstream_requests_total", upstream=upstream, outcome=outcome)


@asynccontextmanager
async def running(handler: Handler, **settings: object) -> AsyncIterator[Running]:
    """A gateway in front of one peer that is analytics, receiver and UI."""
    peer = Peer(handler)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(peer))
        configured = GatewaySettings(
            **{"analytics_url": address, "ui_url": address, "receiver_url": address} | settings
        )
        gateway = await stack.enter_async_context(gateway_on_fakes(configured))
        upstreams = await stack.enter_async_context(open_upstreams(configured))
        state: State = {**gateway.state, "upstreams": upstreams}
        url = await stack.enter_async_context(served(with_state(gateway.app, state)))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=10, trust_env=False))
        yield Running(gateway, peer, url, client, address.removeprefix("http://"))


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:airis:error:")


async def test_an_answer_flows_while_it_is_made() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await peer.proceed.wait()
        await send({"type": "http.response.body", "body": b"second"})

    async with running(handler) as test, test.client.stream("GET", "/events") as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"first"  # the second is not made yet
        test.peer.proceed.set()
        assert [chunk async for chunk in chunks] == [b"second"]
        assert answer.headers["x-own"] == "1"
        assert answer.headers["transfer-encoding"] == "chunked"
    assert test.outcome("ui", "ok") == 1


async def test_a_body_flows_while_it_is_sent_and_arrives_as_it_was() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.drain(receive)
        await respond(send, headers={"Content-Type": "application/x-protobuf"}, body=b"\x0a\x00")

    packed = gzip.compress(b"payload" * 1000)

    async with running(handler) as test:

        async def body() -> AsyncIterator[bytes]:
            yield packed[:10]
            await until(lambda: b"".join(test.peer.received) == packed[:10])
            yield packed[10:]

        headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-protobuf", **bearer("airis_own")}
        answer = await test.client.post("/v1/traces", content=body(), headers=headers)
        assert (answer.status_code, answer.content) == (200, b"\x0a\x00")
        assert b"".join(test.peer.received) == packed
        sent = dict(test.peer.seen[0]["headers"])
        assert (sent["content-encoding"], sent["authorization"]) == ("gzip", "Bearer airis_own")
        assert "x-airis-identity" not in sent

        test.peer.received.clear()
        await test.client.post("/v1/traces", content=packed)
        assert b"".join(test.peer.received) == packed
        assert dict(test.peer.seen[1]["headers"])["content-length"] == str(len(packed))


async def test_a_large_body_does_not_pile_up_in_the_gateway() -> None:
    size, chunk = 24 * 1024 * 1024, b"\0" * 65536
    sent = 0

    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await peer.proceed.wait()
        await peer.drain(receive)
        await respond(send)

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < size:
            sent += len(chunk)
            yield chunk

    async with running(handler) as test:
        upload = asyncio.create_task(test.client.post("/v1/logs", content=body()))
        # The upstream does not read: what the client could send is what sockets and servers buffer.
        await until(lambda: sent > 0)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < size
        test.peer.proceed.set()
        assert (await upload).status_code == 200
        assert sent == size


async def test_what_the_upstream_packed_stays_packed() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        body = gzip.compress(b"x" * 1000)
        await respond(send, headers={"Content-Encoding": "gzip", "Content-Length": str(len(body))}, body=body)

    async with running(handler) as test, test.client.stream("GET", "/app.js") as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert zlib.decompress(raw, 31) == b"x" * 1000
        assert answer.headers["content-length"] == str(len(raw))


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
async def test_a_client_that_leaves_takes_the_upstreams_work_with_it(begun: bool) -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await peer.wait_for_the_end(receive)

    async with running(handler) as test:
        key = await test.gateway.add_key("acme")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(test.url.rsplit(":", 1)[1]))
        writer.write(f"GET /api/v1/logs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        await until(lambda: len(test.peer.seen) == 1)
        if begun:
            await reader.readuntil(b"first")
        assert test.peer.left == 0
        writer.close()
        await until(lambda: test.peer.left == 1)
        await until(lambda: test.outcome("analytics", "client-closed-request") == 1)


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_answered_for() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.drain(receive)

    async with running(handler) as test:
        _, writer = await asyncio.open_connection("127.0.0.1", int(test.url.rsplit(":", 1)[1]))
        writer.write(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        await until(lambda: test.peer.received == [b"half"])
        writer.close()
        await until(lambda: test.peer.left == 1)
        await until(lambda: test.outcome("receiver", "client-closed-request") == 1)


async def test_an_upstream_that_is_away_is_a_503_that_says_when_to_come_back() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    nobody = f"http://127.0.0.1:{free_port()}"
    async with running(handler, analytics_url=nobody, receiver_url=nobody) as test:
        key = bearer(await test.gateway.add_key("acme"))
        for answer in (
            await test.client.get("/api/v1/services", headers=key),
            await test.client.post("/v1/traces", content=b"x" * 100_000, headers=key),
        ):
            assert problem(answer) == (503, "upstream-unavailable")
            assert answer.headers["retry-after"] == "2"
            assert nobody.removeprefix("http://") not in answer.text
        document = (await test.client.get("/readyz")).json()
        assert document["status"] == "ready"


async def test_an_upstream_that_says_nothing_is_a_504() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.wait_for_the_end(receive)

    async with running(handler, upstream_read_timeout_seconds=0.2) as test:
        assert problem(await test.client.get("/slow")) == (504, "upstream-timeout")
        await until(lambda: test.peer.left == 1)


async def test_an_upstream_with_no_connection_left_is_a_503_and_the_others_go_on() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/hang":
            await peer.proceed.wait()
        await respond(send)

    async with running(handler, upstream_max_connections=1, upstream_connect_timeout_seconds=0.2) as test:
        hanging = asyncio.create_task(test.client.get("/hang"))
        await until(lambda: len(test.peer.seen) == 1)
        assert problem(await test.client.get("/other")) == (503, "upstream-unavailable")
        assert (await test.client.post("/v1/traces", content=b"x")).status_code == 200
        test.peer.proceed.set()
        assert (await hanging).status_code == 200


async def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"100")] if scope["path"] == "/sized" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"only this", "more_body": True})

    async with running(handler) as test:
        for path in ("/sized", "/chunked"):
            with pytest.raises(httpx.RemoteProtocolError):
                await test.client.get(path)
        await until(lambda: test.outcome("ui", "upstream-unavailable") == 2)


async def test_a_body_past_the_limit_is_cut_off() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.drain(receive)
        await respond(send)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with running(handler, max_ingest_body_bytes=1024) as test:
        for content in (b"x" * 1025, body()):
            answer = await test.client.post("/v1/traces", content=content)
            assert problem(answer) == (413, "payload-too-large")
        assert sum(map(len, test.peer.received)) <= 1024
        assert (await test.client.post("/v1/traces", content=b"x" * 1024)).status_code == 200


async def test_paths_and_queries_arrive_byte_for_byte() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)

    targets = [b"/a%2Fb/%E2%98%83?q=a+b%20c&q=%", b"/a;v=1/~b?x=[1]&y={}|^", b"/?", b"//double//slash", b"/a?b?c#d"]
    async with running(handler) as test:
        for target in targets:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(test.url.rsplit(":", 1)[1]))
            writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
        arrived = [seen["raw_path"] + (b"?" + seen["query"] if seen["query"] else b"") for seen in test.peer.seen]
        assert arrived == [targets[0], targets[1], b"/", targets[3], b"/a?b?c"]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(
            b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", id="CL.TE"
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"8\r\nSMUGGLED\r\n0\r\n\r\n", id="TE.CL"),
        pytest.param(b"Content-Length: 3\r\nContent-Length: 4", b"abcd", id="two lengths"),
        pytest.param(b"Content-Length: +3", b"abc", id="a sign"),
        pytest.param(b"Transfer-Encoding: xchunked", b"0\r\n\r\n", id="another coding"),
        pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n", id="two codings"),
        pytest.param(b"Content-Length: 3\r\nX-Odd: a\x01b", b"abc", id="a control character"),
        pytest.param(b"Content-Length: 3\r\nX Odd: a", b"abc", id="a space in a name"),
        pytest.param(b"Content-Length: 3\r\nX-Odd: \xff\xfe", b"abc", id="bytes beyond ASCII"),
        pytest.param(b"Content-Length: 3\r\nConnection: content-length, host", b"abc", id="what Connection names"),
    ],
)
async def test_requests_with_two_meanings_have_one_here_and_there(head: bytes, body: bytes) -> None:
    """Whatever the server takes must reach the upstream as one request, with the body the server saw."""

    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.drain(receive)
        await respond(send)

    async with running(handler) as test:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(test.url.rsplit(":", 1)[1]))
        writer.write(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + body)
        status = (await reader.readline()).split()[1]
        writer.close()
        if status == b"200":
            (seen,) = test.peer.seen
            assert seen["raw_path"] == b"/v1/traces"
            framing = [name for name, _ in seen["headers"] if name in {"content-length", "transfer-encoding"}]
            assert len(framing) == 1
            assert [value for name, value in seen["headers"] if name == "host"] == [test.peer_host]
        else:
            assert status == b"400"
            assert b"SMUGGLED" not in b"".join(test.peer.received)


async def test_answers_without_a_body_keep_their_headers_and_the_connection() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/none":
                await respond(send, 204)
            case "/same":
                await respond(send, 304, {"ETag": '"1"'})
            case _:
                await respond(send, 200, {"Content-Length": "5", "ETag": '"1"'}, body=b"hello")

    async with running(handler) as test:
        assert (await test.client.get("/none")).status_code == 204
        same = await test.client.get("/same", headers={"If-None-Match": '"1"'})
        assert (same.status_code, same.headers["etag"]) == (304, '"1"')
        head = await test.client.head("/file")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "5", b"")
        assert (await test.client.get("/file")).content == b"hello"
        assert [seen["method"] for seen in test.peer.seen] == ["GET", "GET", "HEAD", "GET"]
        assert dict(test.peer.seen[1]["headers"])["if-none-match"] == '"1"'


async def test_an_upstreams_cookie_reaches_neither_this_client_nor_the_next() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, headers={"Set-Cookie": "session=of-the-upstream; Path=/"})

    async with running(handler) as test:
        for _ in range(2):
            answer = await test.client.get("/", headers={"Cookie": "airis_session=mine"})
            assert "set-cookie" not in answer.headers
        assert all("cookie" not in dict(seen["headers"]) for seen in test.peer.seen)


async def test_a_redirect_by_the_upstream_stays_with_us() -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"])[b"host"].decode()
        await respond(send, 307, {"Location": f"http://{host}/assets/"})

    async with running(handler) as test:
        answer = await test.client.get("/assets")
        assert (answer.status_code, answer.headers["location"]) == (307, "/assets/")


async def test_a_web_pages_preflight_reaches_the_receiver() -> None:
    """It comes without a key; the receiver decides which pages may send."""

    async def answer(_peer: Peer, scope: Scope, _receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"])[b"access-control-request-method"].decode()
        await respond(send, 204, {"access-control-allow-origin": "*", "access-control-allow-methods": asked})

    async with running(answer) as world:
        headers = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        response = await world.client.options("/v1/traces", headers=headers)
    assert (response.status_code, response.headers["access-control-allow-methods"]) == (204, "POST")


@pytest.mark.parametrize("path", ["/v1", "/v1/profiles", "/v1/traces/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_other_paths_beside_otlps_are_nowhere(path: str, method: str) -> None:
    async with running(lambda _peer, _scope, _receive, send: respond(send)) as world:
        response = await world.client.request(method, path)
    assert problem(response) == (404, "not-found")
    assert "/v1/traces, /v1/logs and /v1/metrics" in response.json()["detail"]


@pytest.mark.parametrize("path", ["//v1/traces", "/v1/traces/", "/v1//traces"])
async def test_slashes_that_joining_urls_added_or_doubled_still_mean_the_receiver(path: str) -> None:
    async def handler(peer: Peer, scope: Scope, receive: Receive, send: Send) -> None:
        await peer.drain(receive)
        await respond(send)

    async with running(handler) as test:
        answer = await test.client.post(test.url + path, content=b"spans", headers={"Authorization": "Bearer key"})
        assert answer.status_code == 200
        assert test.peer.received == [b"spans"]
        assert ("authorization", "Bearer key") in test.peer.seen[0]["headers"]  # type: ignore[operator]
        assert problem(await test.client.get(test.url + path)) == (405, "method-not-allowed")
    assert test.outcome("receiver", "ok") == 1
