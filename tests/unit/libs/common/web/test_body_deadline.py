"""Bodies that are late, wherever they are read, and answers that do not wait for them."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from libs.common.clock import SystemClock
from libs.common.errors import RequestTimeout
from libs.common.web import body_deadline
from libs.common.web.body_deadline import BodyDeadlineMiddleware

BODY = [(b"content-length", b"10")]


class Client:
    """Sends what a test queues, and keeps what it gets."""

    def __init__(self, *chunks: bytes, more: bool = True) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        for number, chunk in enumerate(chunks, 1):
            self.add(chunk, more=more or number < len(chunks))

    def add(self, chunk: bytes, *, more: bool) -> None:
        self.queue.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def ask(self, app: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        middleware = BodyDeadlineMiddleware(app, clock=SystemClock(), idle_seconds=0.05)
        await middleware({"type": "http", "headers": BODY if headers is None else headers}, self.queue.get, self.send)


async def reads_all(_: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await answer(send, body)


async def refuses(_: Scope, __: Receive, send: Send) -> None:
    await answer(send, b"no")


async def answer(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"keep-alive")]})
    await send({"type": "http.response.body", "body": body})


async def test_a_body_that_arrives_is_read_and_its_connection_kept() -> None:
    client = Client(b"12345", b"67890", more=False)
    await client.ask(reads_all)
    assert client.sent[0]["headers"] == [(b"connection", b"keep-alive")]
    assert client.sent[1]["body"] == b"1234567890"


@pytest.mark.parametrize("headers", [BODY, [(b"Transfer-Encoding", b"chunked")]])
async def test_one_that_stops_is_late_wherever_it_is_read(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RequestTimeout):
        await Client(b"12345").ask(reads_all, headers)


async def test_one_that_drips_is_late_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_deadline, "TOTAL_SECONDS", 0.2)
    client = Client()

    async def drip() -> None:
        while True:
            client.add(b"x", more=True)
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    with pytest.raises(RequestTimeout):
        await asyncio.wait_for(client.ask(reads_all), 10)
    dripping.cancel()


async def test_after_the_body_the_wait_for_the_clients_leaving_has_no_end() -> None:
    client, left = Client(b"1234567890", more=False), asyncio.Event()

    async def waits(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    asking = asyncio.create_task(client.ask(waits))
    await asyncio.sleep(0.2)  # four times the idle deadline
    assert not asking.done()
    client.queue.put_nowait({"type": "http.disconnect"})
    await asking
    assert left.is_set()


async def test_an_answer_that_does_not_wait_drains_the_rest_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_deadline, "LINGER_SECONDS", 0.1)
    finished = Client(b"12345", b"67890", more=False)
    await finished.ask(refuses)
    assert finished.queue.empty()
    unfinished = Client(b"12345")
    await unfinished.ask(refuses)
    for client in (finished, unfinished):
        assert client.sent[0]["headers"] == [(b"connection", b"close")]
        assert [(message["body"], message["more_body"]) for message in client.sent[1:]] == [(b"no", True), (b"", False)]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")], [(b"content-length", b"00")]])
async def test_a_request_without_a_body_is_left_alone(headers: list[tuple[bytes, bytes]]) -> None:
    client = Client()
    await client.ask(refuses, headers)
    assert client.sent[0]["headers"] == [(b"connection", b"keep-alive")]
    assert "more_body" not in client.sent[1]
