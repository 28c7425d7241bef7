"""Redis Streams where it can hurt: kills, stalls, lost answers, a full memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from libs.common import bus
from libs.common.bus import Position, TopicPartition
from libs.common.bus.redis_streams.codec import pack
from libs.common.bus.redis_streams.connection import connect, topic_key
from libs.common.clock import SystemClock
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings
from tests.contract.bus.harness import Recorder, declaration, group, read
from tests.fixtures.redis import RedisServer, redis_executable
from tests.integration.libs.common.bus.load import load, read_everything

CLOCK = SystemClock()


def settings(server: RedisServer, **values: object) -> BusSettings:
    return BusSettings(url=server.url, session_timeout_seconds=2.0, **values)


async def test_killed_again_and_again_under_load_it_loses_and_doubles_nothing(own_redis_server: RedisServer) -> None:
    server = own_redis_server
    config = settings(server, timeout_seconds=5.0)
    topic = declaration()
    await bus.ensure_topics(config, [topic])
    async with (
        bus.open_producer(config, CLOCK) as producer,
        load(producer, topic.topic, senders=32, size=20_000) as history,
    ):
        for _ in range(5):
            await asyncio.sleep(0.4)
            server.kill()
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
        await asyncio.sleep(0.4)
    assert len(history.acked) > 500
    assert not history.unknown, "a restart of less than the timeout is not seen by senders"
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        history.check(await read_everything(consumer))


async def test_what_waits_in_memory_is_compressed_unless_asked_otherwise(own_redis_server: RedisServer) -> None:
    sizes = {}
    for compression in ({}, {"compression": "none"}):
        config = settings(own_redis_server, **compression)
        topic = declaration(partitions=1, groups=(group(),))
        await bus.ensure_topics(config, [topic])
        async with bus.open_producer(config, CLOCK) as producer, connect(config) as connection:
            await producer.send(topic.topic, b"span" * 10_000)
            sizes[bool(compression)] = int(await connection.client.hget(topic_key(topic.topic), "held") or 0)
    assert sizes[False] * 10 < sizes[True]


async def test_consumer_reads_on_across_restarts(own_redis_server: RedisServer) -> None:
    server = own_redis_server
    config = settings(server, timeout_seconds=5.0)
    me = group()
    topic = declaration(groups=(me,))
    await bus.ensure_topics(config, [topic])
    positions: dict[TopicPartition, int] = {}
    records = []
    async with (
        bus.open_producer(config, CLOCK) as producer,
        bus.open_consumer(config, me, [topic.topic], None, CLOCK) as consumer,
    ):

        async def consume() -> None:
            while True:
                for tp, batch in (await consumer.poll(max_bytes=2**20, timeout=0.2)).items():
                    records.extend(batch)
                    positions[tp] = batch[-1].offset + 1
                try:
                    await consumer.commit({tp: Position(offset) for tp, offset in positions.items()})
                except BusUnavailable:
                    continue

        consuming = asyncio.create_task(consume())
        async with load(producer, topic.topic, senders=8, size=5_000) as history:
            for _ in range(3):
                await asyncio.sleep(0.4)
                server.kill()
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0.4)
        async with asyncio.timeout(20):
            while len(records) < len(history.acked) or sum((await consumer.lag()).values()):
                await asyncio.sleep(0.1)
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        # Everything is committed, so Redis holds nothing any more.
        async with Redis.from_url(server.url) as client:
            assert int(await client.hget(f"airis:bus:{{{topic.topic}}}", "held")) == 0
            assert [await client.xlen(f"airis:bus:{{{topic.topic}}}/{n}") for n in range(4)] == [0] * 4
    history.check(records)


@asynccontextmanager
async def proxy_that_swallows_answers(server: RedisServer, every: int) -> AsyncIterator[str]:
    """Passes everything to Redis; each `every`-th answer to an append is dropped, with the connection."""
    answers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", server.port)
        appending = False

        async def up() -> None:
            nonlocal appending
            while data := await reader.read(2**16):
                appending = appending or b"EVALSHA" in data
                upstream_writer.write(data)
                await upstream_writer.drain()
            upstream_writer.close()

        sending = asyncio.create_task(up())
        try:
            while data := await upstream_reader.read(2**16):
                if appending:
                    answers += 1
                    if answers % every == 0:
                        break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for side in (writer, upstream_writer):
                side.close()
                await asyncio.gather(side.wait_closed(), return_exceptions=True)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}/0"


async def test_a_send_whose_answer_is_lost_is_written_once(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server)
    topic = declaration()
    await bus.ensure_topics(config, [topic])
    async with proxy_that_swallows_answers(own_redis_server, every=3) as url:
        through = config.model_copy(update={"url": url})
        async with (
            bus.open_producer(through, CLOCK) as producer,
            load(producer, topic.topic, senders=16, size=200) as history,
        ):
            await asyncio.sleep(4)
    assert len(history.acked) > 100
    assert not history.unknown
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        history.check(await read_everything(consumer))


async def test_what_a_stalled_redis_does_late_is_not_done_twice(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, timeout_seconds=1.5)
    topic = declaration()
    await bus.ensure_topics(config, [topic])
    async with (
        bus.open_producer(config, CLOCK) as producer,
        load(producer, topic.topic, senders=16, size=1000) as history,
    ):
        # While it stands still, a batch is tried again on new connections; then Redis finds it on all of them. After the
        # shorter time its senders still wait, after the longer one they have given up.
        for seconds in (1.2, 2.5, 1.2, 2.5):
            await asyncio.sleep(0.3)
            own_redis_server.stall()
            await asyncio.sleep(seconds)
            own_redis_server.unstall()
        await asyncio.sleep(0.5)
    assert history.unknown
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        history.check(await read_everything(consumer))


async def test_a_full_backlog_refuses_and_readers_make_room(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, max_backlog_bytes=4 * 2**20, compression="none")
    me = group()
    topic = declaration(groups=(me,))
    await bus.ensure_topics(config, [topic])
    value = bytes(200_000)
    async with (
        bus.open_producer(config, CLOCK) as producer,
        bus.open_consumer(config, me, [topic.topic], None, CLOCK) as consumer,
        Redis.from_url(own_redis_server.url) as client,
    ):
        results = await asyncio.gather(*(producer.send(topic.topic, value) for _ in range(40)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, BusUnavailable)]
        taken = 40 - len(refused)
        assert 10 <= taken <= 20  # up to 4 MiB; a batch that does not fit whole is refused whole
        assert "full" in refused[0].detail
        assert refused[0].retry_after == 5
        full = (await client.info("memory"))["used_memory"]
        records = await read(consumer, taken)
        assert len(records) == taken
        ends = {tp: Position(0) for tp in consumer.assignment()}
        for record in records:
            ends[TopicPartition(topic.topic, record.partition)] = Position(record.offset + 1)
        await consumer.commit(ends)
        assert (await client.info("memory"))["used_memory"] < full - taken * 180_000
        await asyncio.gather(*(producer.send(topic.topic, value) for _ in range(12)))


async def test_readers_can_make_room_when_redis_has_no_memory_left(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, compression="none", timeout_seconds=5.0)
    me = group()
    topic = declaration(groups=(me,))
    await bus.ensure_topics(config, [topic])
    async with bus.open_producer(config, CLOCK) as producer, Redis.from_url(own_redis_server.url) as client:
        await asyncio.gather(*(producer.send(topic.topic, bytes(100_000), partition=n % 4) for n in range(40)))
        await client.config_set("maxmemory", (await client.info("memory"))["used_memory"] - 2_000_000)
        with pytest.raises(BusUnavailable, match="full"):
            await producer.send(topic.topic, bytes(100_000))
        async with bus.open_consumer(config, me, [topic.topic], None, CLOCK) as consumer:
            records = await read(consumer, 40)
            assert len(records) == 40
            positions = {tp: Position(10, "made room") for tp in consumer.assignment()}
            await consumer.commit(positions)
            assert [await consumer.committed(tp) for tp in positions] == list(positions.values())
        await producer.send(topic.topic, bytes(100_000))


@pytest.fixture(
    params=[
        ("--appendonly", "no"),
        ("--appendfsync", "everysec"),
        ("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"),
    ]
)
def careless_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(redis_executable(), tmp_path, *request.param)
    server.start()
    yield server
    server.kill()


async def test_a_redis_that_would_lose_confirmed_records_is_refused(careless_server: RedisServer) -> None:
    config = settings(careless_server)
    topic = declaration()
    with pytest.raises(BusUnavailable, match="would lose confirmed records"):
        await bus.ensure_topics(config, [topic])
    careless = config.model_copy(update={"require_durable": False})
    await bus.ensure_topics(careless, [topic])
    async with bus.open_producer(config, CLOCK) as producer:
        with pytest.raises(BusUnavailable, match="AIRIS_BUS_REQUIRE_DURABLE"):
            await producer.send(topic.topic, b"v")
    async with bus.open_producer(careless, CLOCK) as producer:
        assert (await producer.send(topic.topic, b"v", partition=0)).offset == 0


async def test_retention_drops_what_a_group_never_reads_and_it_is_told(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, compression="none")
    me, listener = group(), Recorder()
    topic = declaration(partitions=1, groups=(me,), retained_bytes=100_000)
    await bus.ensure_topics(config, [topic])
    async with bus.open_producer(config, CLOCK) as producer:
        for number in range(50):
            await producer.send(topic.topic, (b"%d " % number).ljust(10_000))
        async with bus.open_consumer(config, me, [topic.topic], listener, CLOCK) as consumer:
            tp = TopicPartition(topic.topic, 0)
            records = await read(consumer, 10)
            # Whole segments of a sixteenth of the limit go, so a little more than the limit stays.
            assert 10 <= len(records) <= 13
            assert [record.offset for record in records] == list(range(50 - len(records), 50))
            await consumer.commit({tp: Position(40, "slow")})
        for number in range(30):
            await producer.send(topic.topic, (b"%d " % number).ljust(10_000))
        async with bus.open_consumer(config, me, [topic.topic], listener, CLOCK) as consumer:
            records = await read(consumer, 10)
            assert listener.gaps == [(tp, 40, records[0].offset)]
            assert await consumer.committed(tp) == Position(40, "slow")


async def test_a_topic_that_nobody_reads_keeps_the_latest_and_is_never_full(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, compression="none", max_backlog_bytes=2**20)
    topic = declaration(partitions=1)
    await bus.ensure_topics(config, [topic])
    async with bus.open_producer(config, CLOCK) as producer:
        for number in range(60):
            await producer.send(topic.topic, (b"%d " % number).ljust(50_000))
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        offsets = [record.offset for record in await read_everything(consumer)]
    assert offsets[-1] == 59
    assert offsets == list(range(offsets[0], 60))
    assert 9 <= len(offsets) <= 13


async def test_partitions_are_added_and_found(own_redis_server: RedisServer) -> None:
    config = settings(own_redis_server, partitions=2)
    topic = declaration(partitions=8)
    await bus.ensure_topics(config, [topic])
    async with bus.open_consumer(config, group(), [topic.topic], None, CLOCK) as consumer:
        await consumer.poll(max_bytes=1, timeout=0)
        assert len(consumer.assignment()) == 2
        await bus.ensure_topics(config.model_copy(update={"partitions": 5}), [topic])
        await bus.ensure_topics(config, [topic])  # fewer are asked for, and none goes
        async with bus.open_producer(config, CLOCK) as producer:
            sent = [await producer.send(topic.topic, b"%d" % number, partition=number) for number in range(5)]
            assert len(await read(consumer, 5)) == 5
        assert [where.offset for where in sent] == [0] * 5
        assert len(consumer.assignment()) == 5


async def test_an_older_batch_that_arrives_late_is_not_written(own_redis_server: RedisServer) -> None:
    """A retry overtook it on a new connection, and the sender went on; whoever sent it has left."""
    config = settings(own_redis_server)
    topic = declaration(partitions=1)
    await bus.ensure_topics(config, [topic])
    m, v = pack(None, b"value", (), 0, compress=False)
    async with connect(config) as redis:

        async def append(sequence: int, sender: str = "sender") -> int:
            return int(await redis.run("append", topic.topic, 0, sender, sequence, 2**20, 60_000, m, v))

        assert await append(5) == 0
        assert await append(6) == 1
        assert await append(6) == 1
        with pytest.raises(ResponseError, match="STALE"):
            await append(5)
        assert await append(1, sender="another") == 2
        assert await append(7) == 3
