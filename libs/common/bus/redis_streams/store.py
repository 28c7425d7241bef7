"""Logs, leases and positions in Redis, for LeasedConsumer. The scripts do the work, each atomically."""

from collections.abc import Collection, Mapping
from typing import Any

from redis.exceptions import ResponseError

from libs.common.bus.leases import Fetched, Heartbeat
from libs.common.bus.protocol import Position, Record, TopicPartition
from libs.common.bus.redis_streams.codec import unpack
from libs.common.bus.redis_streams.connection import Argument, RedisBus, named_error, topic_key, unavailable_when_away
from libs.common.errors import BusUnavailable, CommitFenced


class RedisLogStore:
    """LogStore on Redis Streams. `session_timeout` in seconds is how long a lease lasts."""

    def __init__(self, bus: RedisBus, session_timeout: float) -> None:
        self._bus = bus
        self._lease_ms = int(session_timeout * 1000)
        self._turn = 0

    async def heartbeat(self, topic: str, group: str, member: str, owned: Mapping[int, int]) -> Heartbeat:
        """See LogStore."""
        pairs = [number for pair in owned.items() for number in pair]
        _, share, lost, taken = await self._bus.run("heartbeat", topic, group, member, self._lease_ms, *pairs)
        return Heartbeat(share, frozenset(lost), dict(zip(taken[::2], taken[1::2], strict=True)))

    async def release(self, topic: str, group: str, member: str, owned: Mapping[int, int], *, leaving: bool) -> None:
        """See LogStore."""
        pairs = [number for pair in owned.items() for number in pair]
        await self._bus.run("release", topic, group, member, int(leaving), *pairs)

    async def read(self, positions: Mapping[TopicPartition, int], max_bytes: int) -> dict[TopicPartition, Fetched]:
        """See LogStore."""
        topics = _by_topic(positions)
        # Each topic comes first in turn, so that a busy one does not starve the others of the budget.
        self._turn += 1
        order = sorted(topics)
        order = order[self._turn % len(order) :] + order[: self._turn % len(order)]
        found: dict[TopicPartition, Fetched] = {}
        left = max_bytes
        for index, topic in enumerate(order):
            if left <= 0 and any(fetched.records for fetched in found.values()):
                break
            partitions = topics[topic]
            arguments = [number for tp in partitions for number in (tp.partition, positions[tp])]
            # A floor, because the script takes nothing less than one record of each partition anyway.
            share = max(left // (len(order) - index), 1)
            answers = await self._bus.run("read", topic, share, *arguments)
            # The budget may end before the last partition.
            for tp, (start, end, *entries) in zip(partitions, answers, strict=False):
                records = _records(tp, positions[tp], entries)
                left -= sum(len(record.value) for record in records)
                found[tp] = Fetched(start, end, records)
        return found

    async def wait(self, positions: Mapping[TopicPartition, int], timeout: float) -> None:
        """See LogStore. What XREAD brings is dropped: it is one record a partition, and only after an idle time."""
        streams: dict[Any, Any] = {
            f"{topic_key(tp.topic)}/{tp.partition}": f"0-{offset}" for tp, offset in positions.items()
        }
        with unavailable_when_away():
            await self._bus.client.xread(streams, count=1, block=max(int(timeout * 1000), 1))

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """See LogStore."""
        found: dict[TopicPartition, tuple[int, int]] = {}
        for topic, members in _by_topic(partitions).items():
            fields = [f"{name}:{tp.partition}" for tp in members for name in ("start", "next")]
            with unavailable_when_away():
                values = [int(value or 0) for value in await self._bus.client.hmget(topic_key(topic), fields)]
            found.update(zip(members, zip(values[::2], values[1::2], strict=True), strict=True))
        return found

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        """See LogStore."""
        found = {}
        for topic, members in _by_topic(partitions).items():
            fields = [f"{name}:{tp.partition}" for tp in members for name in ("offset", "metadata")]
            with unavailable_when_away():
                values: list[Any] = await self._bus.client.hmget(f"{topic_key(topic)}:{group}", fields)
            for tp, offset, metadata in zip(members, values[::2], values[1::2], strict=True):
                if offset is not None:
                    found[tp] = Position(int(offset), (metadata or b"").decode())
        return found

    async def commit(self, group: str, positions: Mapping[TopicPartition, tuple[int, Position]]) -> None:
        """See LogStore."""
        for topic, members in _by_topic(positions).items():
            arguments: list[Argument] = [group]
            for tp in members:
                epoch, position = positions[tp]
                arguments += (tp.partition, epoch, position.offset, position.metadata)
            try:
                await self._bus.run("commit", topic, *arguments)
            except ResponseError as error:
                if named_error(error) != "FENCED":
                    raise
                raise CommitFenced(f"{topic}/{str(error).split()[-1]} has a new owner in group {group}") from None

    async def life(self, topic: str) -> str:
        """See Consumer."""
        with unavailable_when_away():
            found: bytes | None = await self._bus.client.hget(topic_key(topic), "life")  # type: ignore[assignment]
        if found is None:
            raise BusUnavailable(f"The event bus has no topic {topic}; run the migration, which declares topics.")
        return found.decode()

    async def partition_count(self, topic: str) -> int:
        """See Consumer."""
        with unavailable_when_away():
            found: bytes | None = await self._bus.client.hget(topic_key(topic), "partitions")  # type: ignore[assignment]
        if found is None:
            raise BusUnavailable(f"The event bus has no topic {topic}; run the migration, which declares topics.")
        return int(found)

    async def check(self) -> None:
        """See LogStore."""
        await self._bus.check()


def _by_topic(partitions: Collection[TopicPartition]) -> dict[str, list[TopicPartition]]:
    found: dict[str, list[TopicPartition]] = {}
    for tp in partitions:
        found.setdefault(tp.topic, []).append(tp)
    return found


def _records(tp: TopicPartition, first: int, entries: list[bytes]) -> list[Record]:
    pairs = zip(entries[::2], entries[1::2], strict=True)
    return [unpack(tp.topic, tp.partition, first + index, m, v) for index, (m, v) in enumerate(pairs)]
