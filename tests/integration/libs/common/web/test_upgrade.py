"""A request that offers an upgrade is served whole, and none of its body is ever another request (RFC 9110, 7.8)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from libs.common.web.server import serve

HIDDEN = b"POST /hidden HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            await send({"type": f"lifespan.{step}.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    asked = {
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "version": scope["http_version"],
        "body": body.decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
    }
    content = json.dumps(asked).encode()
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(mirror, "127.0.0.1", 0, stop, listening=listening))
    yield await asyncio.wait_for(listening, 20)
    stop.set()
    await server


async def _send(port: int, *pieces: bytes) -> bytes:
    """Everything the server says until it closes the connection, each piece sent when the one before was read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.005)
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return said


def _request(upgrade: str, *, chunked: bool, version: str = "1.1") -> bytes:
    head = (
        f"POST /first?a=%2F HTTP/{version}\r\nHost: x\r\nConnection: Keep-Alive, Upgrade, HTTP2-Settings\r\n"
        f"Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nX-Kept: yes, it is\r\n"
    ).encode()
    if chunked:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (HIDDEN[:9], HIDDEN[9:]))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"


def _asked(said: bytes) -> list[dict[str, object]]:
    """What the application was asked, from its answers."""
    answers = said.split(b"HTTP/1.1 200 OK\r\n")
    assert answers[0] == b""
    return [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers[1:]]


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0", "h2c, websocket", "anything/9"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_an_offer_is_ignored_and_the_request_served_whole(port: int, upgrade: str, chunked: bool) -> None:
    request = _request(upgrade, chunked=chunked)
    head = request.index(b"\r\n\r\n") + 4
    whole = request + LAST
    cuts = {0, 1, head - 3, head - 1, head, head + 1, head + 20, len(request) - 1, len(request), len(whole) - 1}
    spoken = await asyncio.gather(*(_send(port, whole[:cut], whole[cut:]) for cut in sorted(cuts)))
    for said in spoken:
        first, last = _asked(said)
        assert (first["path"], first["query"], first["body"]) == ("/first", "a=%2F", HIDDEN.decode())
        headers = first["headers"]
        assert isinstance(headers, list)
        assert ["connection", "Keep-Alive, HTTP2-Settings"] in headers
        assert ["x-kept", "yes, it is"] in headers
        assert "upgrade" not in [name for name, _ in headers]
        assert (last["path"], last["body"]) == ("/last", "")


async def test_an_old_client_s_offer_is_ignored_too(port: int) -> None:
    (first,) = _asked(
        (await _send(port, _request("h2c", chunked=False, version="1.0"))).replace(b"1.0 200", b"1.1 200")
    )
    assert (first["version"], first["body"]) == ("1.0", HIDDEN.decode())


async def test_a_body_that_is_announced_and_expected_is_asked_for(port: int) -> None:
    request = _request("h2c", chunked=False).replace(b"X-Kept", b"Expect: 100-continue\r\nX-Kept")
    said = await _send(port, request + LAST)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert len(_asked(said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))) == 2


async def test_a_body_cut_short_is_answered_with_nothing(port: int) -> None:
    for chunked in (False, True):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request("h2c", chunked=chunked)[:-8])
        writer.write_eof()
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_many_requests_in_one_piece_are_no_long_head(port: int) -> None:
    said = await _send(port, b"GET /many HTTP/1.1\r\nHost: x\r\n\r\n" * 3000 + LAST[:20], LAST[20:])
    assert said.count(b"200 OK") == 3001


async def test_a_tunnel_is_refused(port: int) -> None:
    said = await _send(port, b"CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\n\r\n" + HIDDEN)
    assert said.startswith(b"HTTP/1.1 405 ")
    assert b"hidden" not in said
