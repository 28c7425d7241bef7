"""Reads from Kafka as a member of a consumer group.

aiokafka tells about rebalances from a task of its own; here they wait for the next poll, as in the Java client, so that who
polls is never interrupted. Only a revocation holds the group up until then, because after it others may read.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from libs.common.bus.kafka.buffer import FetchBuffer
from libs.common.bus.kafka.connection import client_options, stop, unavailable_when_away
from libs.common.bus.kafka.topic_ids import topic_id
from libs.common.bus.listening import ListenerFailed, tell
from libs.common.bus.protocol import Position, RebalanceListener, Record, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable, CommitFenced
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.25
_NO_LEADER = -1
# A broker returns a larger batch all the same, alone. aiokafka keeps this much of each partition beside what was asked for.
_PARTITION_FETCH_BYTES = 1024**2


@dataclass(eq=False)
class _Change:
    """A rebalance that waits for poll."""

    assigned: bool
    partitions: frozenset[TopicPartition]
    done: asyncio.Event = field(default_factory=asyncio.Event)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's listener: hands changes over to poll."""

    def __init__(self) -> None:
        self.waiting: list[_Change] = []
        self.arrived = asyncio.Event()
        self.closing = False

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        change = self._add(assigned=False, partitions=revoked)
        if change.partitions and not self.closing:
            await change.done.wait()

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        self._add(assigned=True, partitions=assigned)

    def _add(self, *, assigned: bool, partitions: Iterable[KafkaPartition]) -> _Change:
        change = _Change(assigned, frozenset(_ours(tp) for tp in partitions))
        if change.partitions:
            self.waiting.append(change)
            self.arrived.set()
        return change

    def close(self) -> None:
        """Nobody polls any more: let aiokafka go on."""
        self.closing = True
        for change in self.waiting:
            change.done.set()


class KafkaConsumer:
    """Consumer on Kafka. Use `open_kafka_consumer`."""

    def __init__(
        self,
        settings: BusSettings,
        group: str,
        topics: Collection[str],
        listener: RebalanceListener,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._group = group
        self._topics = sorted(topics)
        self._listener = listener
        self._clock = clock
        self._rebalances = _Rebalances()
        self._kafka: AIOKafkaConsumer | None = None
        self._starting: asyncio.Task[AIOKafkaConsumer] | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._admin_lock = asyncio.Lock()
        self._owned: set[TopicPartition] = set()
        self._buffer = FetchBuffer()
        self._away = False

    def assignment(self) -> frozenset[TopicPartition]:
        """See Consumer."""
        return frozenset(self._owned)

    async def poll(self, *, max_bytes: int, timeout: float) -> dict[TopicPartition, list[Record]]:
        """See Consumer."""
        deadline = self._clock.monotonic() + timeout
        while True:
            try:
                kafka = await self._started()
                await self._rebalance()
                records = self._buffer.take(max_bytes)
                left = deadline - self._clock.monotonic()
                if records or left <= 0:
                    return records
                await self._fetch(kafka, self._buffer.records_in(max_bytes), left)
                self._away = False
            except ListenerFailed as failed:
                raise failed.error from None
            except (BusUnavailable, KafkaError, TimeoutError) as error:
                if not self._away:
                    log.warning("bus_away", transport="kafka", group=self._group, error=repr(error))
                self._away = True
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return {}
                await self._clock.sleep(min(left, _RETRY_SECONDS))

    async def committed(self, partition: TopicPartition) -> Position | None:
        """See Consumer."""
        return (await self._committed([partition])).get(partition)

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """See Consumer."""
        for tp in positions:
            if tp not in self._owned or self._kafka is None:
                raise CommitFenced(f"{tp.topic}/{tp.partition} is not assigned to this consumer of group {self._group}")
        if not positions or self._kafka is None:
            return
        offsets = {_theirs(tp): (position.offset, position.metadata) for tp, position in positions.items()}
        try:
            with unavailable_when_away():
                async with asyncio.timeout(self._settings.timeout_seconds):
                    await self._kafka.commit(offsets)
        except BusUnavailable as error:
            if isinstance(error.__cause__, (CommitFailedError, IllegalStateError)):
                raise CommitFenced(
                    f"Group {self._group} has rebalanced; read on from the committed position."
                ) from None
            raise

    async def life(self, partition: TopicPartition) -> str:
        """See Consumer. The leader is asked, from whom the records come: other brokers hear of a new life later."""
        admin = await self._admin_client()
        leader = None
        if self._kafka is not None:
            leader = self._kafka._client.cluster.leader_for_partition(_theirs(partition))  # noqa: SLF001 (no public way)
        with unavailable_when_away():
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await topic_id(admin, partition.topic, leader if leader != _NO_LEADER else None)

    async def partition_count(self, topic: str) -> int:
        """See Consumer."""
        kafka = await self._started()
        if not (found := kafka.partitions_for_topic(topic)):
            raise BusUnavailable(f"The event bus has no topic {topic}; run the migration, which declares topics.")
        return len(found)

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """See Consumer."""
        with _ownership():
            self._client_of(partition).seek(_theirs(partition), offset)
        self._buffer.drop([partition])

    async def pause(self, partition: TopicPartition) -> None:
        """See Consumer."""
        with _ownership():
            self._client_of(partition).pause(_theirs(partition))
        self._buffer.paused.add(partition)

    async def resume(self, partition: TopicPartition) -> None:
        """See Consumer."""
        with _ownership():
            self._client_of(partition).resume(_theirs(partition))
        self._buffer.paused.discard(partition)

    async def lag(self) -> dict[TopicPartition, int]:
        """See Consumer."""
        partitions = self.assignment()
        if not partitions or self._kafka is None:
            return {}
        committed = await self._committed(partitions)
        theirs = [_theirs(tp) for tp in partitions]
        with unavailable_when_away():
            async with asyncio.timeout(self._settings.timeout_seconds):
                starts = await self._kafka.beginning_offsets(theirs)
                ends = await self._kafka.end_offsets(theirs)
        lag = {}
        for tp in partitions:
            start, position = starts[_theirs(tp)], committed.get(tp)
            lag[tp] = max(ends[_theirs(tp)] - max(position.offset if position else start, start), 0)
        return lag

    async def check(self) -> None:
        """See Consumer."""
        admin = await self._admin_client()
        with unavailable_when_away():
            async with asyncio.timeout(self._settings.timeout_seconds):
                await admin.describe_cluster()

    async def close(self) -> None:
        """Revoke everything and leave the group."""
        try:
            if self._owned:
                await self._listener.on_revoked(self.assignment())
        finally:
            self._owned.clear()
            self._rebalances.close()
            if self._starting is not None and not self._starting.done():
                self._starting.cancel()
                await asyncio.wait([self._starting])
            if self._kafka is not None:
                await stop(self._kafka, self._settings.timeout_seconds)
            if self._admin is not None:
                with suppress(KafkaError, OSError):
                    await self._admin.close()

    def _client_of(self, partition: TopicPartition) -> AIOKafkaConsumer:
        if partition not in self._owned or self._kafka is None:
            raise ValueError(f"{partition.topic}/{partition.partition} is not assigned to this consumer")
        return self._kafka

    async def _started(self) -> AIOKafkaConsumer:
        if self._kafka is None:
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self._start(), name=f"kafka-consumer-start-{self._group}")
            # Shielded, because polls that are cancelled early would start over each time.
            return await asyncio.shield(self._starting)
        return self._kafka

    async def _start(self) -> AIOKafkaConsumer:
        session_ms = int(self._settings.session_timeout_seconds * 1000)
        interval_ms = int(self._settings.max_poll_interval_seconds * 1000)
        kafka = AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # the gap must be told
            isolation_level="read_committed",
            fetch_max_bytes=self._settings.max_record_bytes,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 3,
            max_poll_interval_ms=interval_ms,
            rebalance_timeout_ms=interval_ms,
        )
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await kafka.start()
                # Before subscribing, because aiokafka looks for missing topics again only when its metadata gets old.
                _check_topics(self._topics, await kafka.topics())
        except BaseException:
            await stop(kafka, self._settings.timeout_seconds)
            raise
        # Not before start(), which would wait for the first assignment, which waits for poll.
        kafka.subscribe(self._topics, listener=self._rebalances)
        self._kafka = kafka
        return kafka

    async def _rebalance(self) -> None:
        self._rebalances.arrived.clear()
        waiting = self._rebalances.waiting
        while waiting:
            change = waiting.pop(0)
            if change.assigned:
                # What is about to be revoked again is not worth a word.
                coming = change.partitions.difference(*(later.partitions for later in waiting if not later.assigned))
                self._owned |= coming
                if coming:
                    await tell(self._listener.on_assigned(coming))
                continue
            going = change.partitions & self._owned
            try:
                if going:
                    await tell(self._listener.on_revoked(going))
            finally:
                self._owned -= going
                self._buffer.forget(going)
                change.done.set()

    async def _fetch(self, kafka: AIOKafkaConsumer, records: int, timeout: float) -> None:
        """Into the buffer, until something came, a rebalance began, or `timeout` seconds have passed."""

        async def fetch() -> None:
            partitions = [_theirs(tp) for tp in self._owned]
            # The result goes where it is safe at once, because whoever polls may be cancelled.
            self._buffer.add(await kafka.getmany(*partitions, timeout_ms=int(timeout * 1000), max_records=records))

        tasks: set[asyncio.Task[Any]] = {asyncio.create_task(self._rebalances.arrived.wait())}
        if self._owned:
            tasks.add(asyncio.create_task(fetch()))
        try:
            await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, OffsetOutOfRangeError):
                await self._tell_gaps(kafka, result.args[0])
            elif isinstance(result, NoOffsetForPartitionError):
                # aiokafka says so of a group that was refused, too (see _committed); who cares seeks to its commit, as the writer does.
                await kafka.seek_to_beginning(*result.args)
            elif isinstance(result, IllegalStateError):
                await asyncio.sleep(0)  # a rebalance has begun; it arrives with the next round
            elif isinstance(result, Exception):
                raise result

    async def _tell_gaps(self, kafka: AIOKafkaConsumer, expected: Mapping[KafkaPartition, int]) -> None:
        starts = await kafka.beginning_offsets(list(expected))
        for theirs, offset in expected.items():
            tp, start = _ours(theirs), starts[theirs]
            if tp not in self._owned:
                continue
            kafka.seek(theirs, start)
            log.warning("bus_gap", group=self._group, expected=offset, found=start, **asdict(tp))
            await tell(self._listener.on_gap(tp, offset, start))

    async def _committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        """Where something was committed. Raises BusUnavailable."""
        admin = await self._admin_client()
        theirs = [_theirs(tp) for tp in partitions]
        with unavailable_when_away():
            async with asyncio.timeout(self._settings.timeout_seconds):
                while True:
                    try:
                        found = await admin.list_consumer_group_offsets(self._group, partitions=theirs)
                        # A coordinator that cannot answer yet says so for the whole group, which aiokafka does not read: no
                        # partition is in its answer then. One without a commit would be there, with offset -1.
                        if found.keys() >= set(theirs):
                            break
                        reason = "the answer leaves partitions out"
                    except KafkaError as error:  # the coordinator moves, or has just been made
                        reason = repr(error)
                    log.debug("bus_committed_retried", error=reason)
                    await self._clock.sleep(_RETRY_SECONDS)
        return {_ours(tp): _position(stored) for tp, stored in found.items() if stored.offset >= 0}

    async def _admin_client(self) -> AIOKafkaAdminClient:
        # Only the admin client gives out the metadata of a commit; the consumer's own `committed` does not.
        async with self._admin_lock:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**client_options(self._settings))
                try:
                    with unavailable_when_away():
                        async with asyncio.timeout(self._settings.timeout_seconds):
                            await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin


def _check_topics(wanted: Collection[str], existing: Collection[str]) -> None:
    if missing := set(wanted) - set(existing):
        raise BusUnavailable(f"The event bus has no topic {min(missing)}; run the migration, which declares topics.")


def _ours(tp: KafkaPartition) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)


def _theirs(tp: TopicPartition) -> KafkaPartition:
    return KafkaPartition(tp.topic, tp.partition)


def _position(stored: OffsetAndMetadata) -> Position:
    return Position(stored.offset, stored.metadata or "")


@contextmanager
def _ownership() -> Iterator[None]:
    try:
        yield
    except IllegalStateError as error:  # revoked, and poll has not been told yet
        raise ValueError(f"not assigned to this consumer: {error}") from None


@asynccontextmanager
async def open_kafka_consumer(
    settings: BusSettings, group: str, topics: Collection[str], listener: RebalanceListener, clock: Clock
) -> AsyncIterator[KafkaConsumer]:
    """A consumer that connects with its first poll."""
    consumer = KafkaConsumer(settings, group, topics, listener, clock)
    try:
        yield consumer
    finally:
        await consumer.close()
