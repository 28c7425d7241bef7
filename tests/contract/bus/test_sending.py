"""What a producer promises."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry

from libs.common.bus import BusMetrics, Record, TopicPartition
from libs.common.bus.topics import load_declarations
from libs.common.errors import BusUnavailable, RecordTooLarge
from libs.common.metrics import sample_value
from libs.common.testing import recorded_spans
from libs.common.tracing import span
from tests.contract.bus.harness import PATIENCE, Transport, declaration, group, read


async def test_record_comes_back_as_it_was_sent(bus: Transport) -> None:
    topic = declaration()
    await bus.ensure(topic)
    before = int(time.time() * 1000)
    headers = (("tenant", b"acme"), ("content-type", b"application/x-protobuf"), ("empty", b""), ("tenant", b"twice"))
    values = [b"", b"x", bytes(range(256)) * 100, "naïve".encode()]
    keys = [None, b"", b"key", b"\x00\xff"]
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        sent = [
            await producer.send(topic.topic, value, key=key, headers=headers, partition=2)
            for value in values
            for key in keys
        ]
        records = await read(consumer, 16)
    assert [(where.topic, where.partition, where.offset) for where in sent] == [(topic.topic, 2, n) for n in range(16)]
    assert [(record.topic, record.partition, record.offset) for record in records] == [
        (topic.topic, 2, n) for n in range(16)
    ]
    assert [(record.value, record.key) for record in records] == [(value, key) for value in values for key in keys]
    assert all(record.headers == headers for record in records)
    assert all(before <= record.timestamp_ms <= int(time.time() * 1000) for record in records)


async def test_concurrent_sends_keep_their_order_and_come_once(bus: Transport) -> None:
    topic = declaration()
    await bus.ensure(topic)
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        sent = await asyncio.gather(*(producer.send(topic.topic, b"%d" % n, partition=n % 4) for n in range(1000)))
        records = await read(consumer, 1000)
    assert sorted((where.partition, where.offset) for where in sent) == [(p, n) for p in range(4) for n in range(250)]
    for partition in range(4):
        ours = [record for record in records if record.partition == partition]
        assert [record.offset for record in ours] == list(range(250))
        assert [int(record.value) for record in ours] == [4 * n + partition for n in range(250)]


async def test_equal_keys_share_a_partition_and_keyless_records_are_spread(bus: Transport) -> None:
    topic = declaration()
    await bus.ensure(topic)
    # Values of murmur2 from the Java client's own test: other clients must find the same partitions.
    java = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    async with bus.producer() as producer:
        for key, murmur2 in java.items():
            assert (await producer.send(topic.topic, b"v", key=key)).partition == (murmur2 & 0x7FFFFFFF) % 4
        keyed = [await producer.send(topic.topic, b"v", key=b"key-%d" % (n % 20)) for n in range(60)]
        keyless = Counter([(await producer.send(topic.topic, b"v")).partition for _ in range(40)])
    assert [where.partition for where in keyed[:20]] == [where.partition for where in keyed[20:40]]
    assert len({where.partition for where in keyed}) > 1
    assert set(keyless) == {0, 1, 2, 3}
    assert max(keyless.values()) - min(keyless.values()) <= 1


async def test_too_large_is_refused_and_nothing_else_suffers(make_bus: Callable[..., Transport]) -> None:
    bus = make_bus(max_record_bytes=100_000)
    topic = declaration()
    await bus.ensure(topic)
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        await producer.send(topic.topic, b"before", partition=0)
        with pytest.raises(RecordTooLarge, match="100001 bytes"):
            await producer.send(topic.topic, bytes(100_001), partition=0)
        with pytest.raises(RecordTooLarge, match="Key and headers"):
            await producer.send(topic.topic, b"", headers=(("h", bytes(65_537)),), partition=0)
        largest = bytes(n * 7919 % 251 for n in range(100_000))
        await producer.send(topic.topic, largest, headers=(("h", bytes(60_000)),), partition=0)
        records = await read(consumer, 2)
    assert [record.value for record in records] == [b"before", largest]


async def test_unknown_partition_and_topic_are_said(make_bus: Callable[..., Transport]) -> None:
    bus = make_bus(timeout_seconds=3.0)
    topic = declaration(partitions=2)
    await bus.ensure(topic)
    async with bus.producer() as producer:
        with pytest.raises(ValueError, match="no partition 2"):
            await producer.send(topic.topic, b"v", partition=2)
        with pytest.raises(BusUnavailable):
            await producer.send("test.nobody_declared", b"v")
        assert (await producer.send(topic.topic, b"v", partition=1)).offset == 0


async def test_many_bytes_in_flight_wait_or_are_refused(make_bus: Callable[..., Transport]) -> None:
    bus = make_bus(max_in_flight_bytes=2**20, max_record_bytes=2**18, compression="none")
    topic = declaration()
    await bus.ensure(topic)
    value = bytes(200_000)
    async with bus.producer() as producer:
        results = await asyncio.gather(*(producer.send(topic.topic, value) for _ in range(40)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, BusUnavailable)]
        assert len([result for result in results if not isinstance(result, BaseException)]) == 40 - len(refused)
        assert all(result.retry_after for result in refused)
        if bus.name != "memory":  # which confirms at once
            assert refused
        await asyncio.gather(*(producer.send(topic.topic, value) for _ in range(4)))


async def test_cancelled_send_leaves_the_producer_well(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    async with bus.producer() as producer, bus.consumer(group(), topic.topic) as consumer:
        await producer.send(topic.topic, b"first")
        task = asyncio.create_task(producer.send(topic.topic, b"left"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*(producer.send(topic.topic, b"%d" % n) for n in range(20)))
        records = await read(consumer, 21)
    assert [record.value for record in records if record.value != b"left"] == [
        b"first",
        *(b"%d" % n for n in range(20)),
    ]


async def test_trace_context_travels_except_with_traces(bus: Transport) -> None:
    topic = declaration(partitions=1)
    # The real topic, whose contract says so; on a broker that tests share, others have written to it.
    traces = next(found for found in load_declarations() if found.topic == "telemetry.traces")
    await bus.ensure(topic, traces)
    me, value = group(), uuid4().bytes
    records: list[Record] = []
    async with bus.producer() as producer, bus.consumer(me, topic.topic, traces.topic) as consumer:
        async with recorded_spans():
            with span("receive", kind=SpanKind.SERVER) as current:
                await producer.send(topic.topic, value, headers=(("tenant", b"acme"),))
                await producer.send(traces.topic, value, headers=(("tenant", b"acme"),))
        await producer.send(topic.topic, value)
        async with asyncio.timeout(PATIENCE):
            while len(records) < 3:
                records += [record for record in await read(consumer, 1) if record.value == value]
    trace_id = f"{current.get_span_context().trace_id:032x}".encode()
    by_topic = {
        name: [record.headers for record in records if record.topic == name] for name in (topic.topic, traces.topic)
    }
    traced, untraced = by_topic[topic.topic]
    assert [name for name, _ in traced] == ["tenant", "traceparent"]
    assert trace_id in dict(traced)["traceparent"]
    assert untraced == ()
    assert by_topic[traces.topic] == [(("tenant", b"acme"),)]


async def test_sends_are_counted(bus: Transport) -> None:
    topic = declaration(partitions=1)
    await bus.ensure(topic)
    registry = CollectorRegistry()
    metrics = BusMetrics(registry)
    me = group()
    async with bus.producer(metrics=metrics) as producer, bus.consumer(me, topic.topic, metrics=metrics) as consumer:
        for _ in range(3):
            await producer.send(topic.topic, bytes(1000))
        with pytest.raises(RecordTooLarge):
            await producer.send(topic.topic, bytes(2**20 + 1))
        await read(consumer, 2, max_bytes=2000)
        assert await consumer.lag() == {TopicPartition(topic.topic, 0): 3}
    labels = {"topic": topic.topic}
    assert sample_value(registry, "airis_bus_sent_records_total", **labels) == 3
    assert sample_value(registry, "airis_bus_sent_value_bytes_total", **labels) == 3000
    assert sample_value(registry, "airis_bus_send_duration_seconds_count", **labels) == 3
    assert sample_value(registry, "airis_bus_send_errors_total", error="record-too-large", **labels) == 1
    assert sample_value(registry, "airis_bus_in_flight_bytes") == 0
    assert sample_value(registry, "airis_bus_received_records_total", group=me, **labels) >= 2
    assert sample_value(registry, "airis_bus_consumer_lag_records", group=me, **labels) == 3
