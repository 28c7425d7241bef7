"""Payloads share records while the bus is busy, and every sender hears what became of its own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.auth.api_keys import ApiKey
from libs.common.errors import BusUnavailable
from services.ingestion.receivers.outbox import Outbox

KEY = ApiKey("k1", "acme", "test", frozenset({"ingest"}))


class SlowProducer:
    """Confirms a record when told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, dict[str, bytes]]] = []
        self.outcomes: list[asyncio.Future[None]] = []

    async def send(self, topic: str, value: bytes, *, headers: Any = (), **_: Any) -> None:
        self.sent.append((topic, value, dict(headers)))
        self.outcomes.append(asyncio.get_running_loop().create_future())
        await self.outcomes[-1]

    async def confirm(self, number: int, error: Exception | None = None) -> None:
        if error is None:
            self.outcomes[number].set_result(None)
        else:
            self.outcomes[number].set_exception(error)
        await settled()

    async def check(self) -> None: ...


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def producer() -> SlowProducer:
    return SlowProducer()


@pytest.fixture
async def outbox(producer: SlowProducer) -> AsyncIterator[Outbox]:
    outbox = Outbox(producer)  # type: ignore[arg-type]
    yield outbox
    for outcome in producer.outcomes:
        if not outcome.done():
            outcome.set_result(None)
    await outbox.close()
    assert not outbox._lanes


def put(
    outbox: Outbox, payload: bytes, *, topic: str = "traces", key: ApiKey = KEY, at: int = 7, request_id: str = "r"
) -> "asyncio.Task[None]":
    return asyncio.create_task(outbox.put(topic, key, payload, 1, at, request_id))


async def test_a_payload_leaves_at_once_and_is_done_when_durable(outbox: Outbox, producer: SlowProducer) -> None:
    sending = put(outbox, b"a")
    await settled()
    assert producer.sent == [
        ("traces", b"a", {"tenant": b"acme", "received_at": b"7", "records": b"1", "key_id": b"k1", "request_id": b"r"})
    ]
    assert not sending.done()
    await producer.confirm(0)
    await sending


async def test_what_comes_meanwhile_leaves_together_in_order(outbox: Outbox, producer: SlowProducer) -> None:
    first = put(outbox, b"a")
    await settled()
    later = [
        put(outbox, payload, at=at, request_id=payload.decode()) for payload, at in ((b"b", 8), (b"c", 9), (b"d", 9))
    ]
    await settled()
    assert len(producer.sent) == 1
    await producer.confirm(0)
    assert first.done()
    assert not any(sending.done() for sending in later)
    _, value, headers = producer.sent[1]
    assert value == b"bcd"
    assert headers["records"] == b"3"
    assert headers["received_at"] == b"8"
    assert headers["request_id"] == b"b,c,d"
    await producer.confirm(1)
    await asyncio.gather(*later)


async def test_requests_written_one_after_the_other_are_one_request() -> None:
    first, second = ExportTraceServiceRequest(), ExportTraceServiceRequest()
    first.resource_spans.add(schema_url="a").scope_spans.add().spans.add(name="1")
    second.resource_spans.add(schema_url="b").scope_spans.add().spans.add(name="2")
    both = ExportTraceServiceRequest.FromString(first.SerializeToString() + second.SerializeToString())
    assert list(both.resource_spans) == [*first.resource_spans, *second.resource_spans]


async def test_keys_tenants_and_signals_never_share_a_record(outbox: Outbox, producer: SlowProducer) -> None:
    other_key = ApiKey("k2", "acme", "test", frozenset({"ingest"}))
    other_tenant = ApiKey("k1", "other", "test", frozenset({"ingest"}))
    for _ in range(2):
        put(outbox, b"a")
        put(outbox, b"b", key=other_key)
        put(outbox, b"c", key=other_tenant)
        put(outbox, b"d", topic="logs")
    await settled()
    assert [value for _, value, _ in producer.sent] == [b"a", b"b", b"c", b"d"]
    for number in range(4):
        await producer.confirm(number)
    assert [value for _, value, _ in producer.sent[4:]] == [b"a", b"b", b"c", b"d"]


async def test_large_payloads_do_not_wait(outbox: Outbox, producer: SlowProducer) -> None:
    large = bytes(300 * 1024)
    put(outbox, b"a")
    put(outbox, b"b")
    put(outbox, large)
    put(outbox, large)
    put(outbox, b"c")
    await settled()
    assert [len(value) for _, value, _ in producer.sent] == [1, 1, len(large), len(large)]
    await producer.confirm(0)
    await producer.confirm(1)
    await producer.confirm(3)
    assert len(producer.sent) == 4
    await producer.confirm(2)
    assert producer.sent[4][1] == b"c"


async def test_a_failure_reaches_all_it_concerns_and_those_who_wait_behind_it(
    outbox: Outbox, producer: SlowProducer
) -> None:
    first = put(outbox, b"a")
    await settled()
    waiting = [put(outbox, b"b"), put(outbox, b"c")]
    await settled()
    await producer.confirm(0, BusUnavailable("away"))
    for sending in (first, *waiting):
        with pytest.raises(BusUnavailable, match="away"):
            await sending
    again = put(outbox, b"d")
    await settled()
    await producer.confirm(1)
    await again


async def test_another_failure_stops_nobody_else(outbox: Outbox, producer: SlowProducer) -> None:
    first = put(outbox, b"a")
    await settled()
    second = put(outbox, b"b")
    await settled()
    await producer.confirm(0, ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await first
    await producer.confirm(1)
    await second


async def test_a_sender_that_leaves_takes_nothing_along(outbox: Outbox, producer: SlowProducer) -> None:
    first = put(outbox, b"a")
    await settled()
    leaving, staying = put(outbox, b"b"), put(outbox, b"c")
    await settled()
    first.cancel()
    leaving.cancel()
    await settled()
    await producer.confirm(0)
    assert producer.sent[1][1] == b"bc"
    await producer.confirm(1)
    await staying


async def test_closing_waits_for_what_was_put(outbox: Outbox, producer: SlowProducer) -> None:
    sending = [put(outbox, b"a"), put(outbox, b"b")]
    await settled()
    closing = asyncio.create_task(outbox.close())
    await producer.confirm(0)
    assert not closing.done()
    await producer.confirm(1)
    await closing
    await asyncio.gather(*sending)
