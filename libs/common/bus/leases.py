"""A consumer over a log store that has no group protocol of its own: partitions are leased, commits are fenced by epochs.

Each member tells the store regularly that it lives and takes free partitions up to its fair share; who has more than its
share gives some back. A dead member's leases run out. Each change of hands raises the partition's epoch, and the store
refuses commits under an old one, so a member that stood still for too long cannot undo what its successor did.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Protocol
from uuid import uuid4

import structlog

from libs.common.bus.listening import ListenerFailed, tell
from libs.common.bus.protocol import Position, RebalanceListener, Record, TopicPartition
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

# How soon a member that is short of partitions asks again: others give back within one of their own beats.
_HUNGRY_SECONDS = 0.25
_RETRY_SECONDS = 0.25
# A blocking read returns at least this often, so that rebalances are not kept waiting.
_LONGEST_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the store answers to a sign of life: the member's fair `share`, what it `lost`, what it `taken` with epochs."""

    share: int
    lost: frozenset[int]
    taken: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records from the asked offset on; none when it is not between `start` (earliest) and `end` (next to be written)."""

    start: int
    end: int
    records: list[Record]


class LogStore(Protocol):
    """Logs, leases and positions. Every method raises BusUnavailable when the store does not answer."""

    async def heartbeat(self, topic: str, group: str, member: str, owned: Mapping[int, int]) -> Heartbeat:
        """`owned`: partition -> epoch."""
        ...

    async def release(
        self, topic: str, group: str, member: str, owned: Mapping[int, int], *, leaving: bool
    ) -> None: ...

    async def read(self, positions: Mapping[TopicPartition, int], max_bytes: int) -> dict[TopicPartition, Fetched]:
        """In this order. Once `max_bytes` are passed, the partitions that are left are not in the answer."""
        ...

    async def wait(self, positions: Mapping[TopicPartition, int], timeout: float) -> None:
        """Until one of these has a record at or after its position, or `timeout` seconds have passed."""
        ...

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """(earliest, next to be written)."""
        ...

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]: ...

    async def commit(self, group: str, positions: Mapping[TopicPartition, tuple[int, Position]]) -> None:
        """With epochs. Raises CommitFenced."""
        ...

    async def life(self, topic: str) -> str:
        """See Consumer."""
        ...

    async def partition_count(self, topic: str) -> int:
        """See Consumer."""
        ...

    async def check(self) -> None: ...


@dataclass(slots=True)
class _Owned:
    epoch: int
    position: int
    paused: bool = False


@dataclass(slots=True)
class _Topic:
    """What heartbeats found, for the next poll to act on."""

    share: int = 0
    lost: set[int] = field(default_factory=set)
    taken: dict[int, int] = field(default_factory=dict)


class LeasedConsumer:
    """Consumer over a LogStore. `close` it."""

    def __init__(
        self,
        store: LogStore,
        group: str,
        topics: Collection[str],
        listener: RebalanceListener,
        settings: BusSettings,
        clock: Clock,
        *,
        member: str | None = None,
    ) -> None:
        self._store = store
        self._group = group
        self._topics = {topic: _Topic() for topic in topics}
        self._listener = listener
        self._settings = settings
        self._clock = clock
        self._member = member or uuid4().hex
        self._turn = 0
        self._owned: dict[TopicPartition, _Owned] = {}
        self._beat_lock = asyncio.Lock()
        self._next_beat = 0.0
        self._last_poll = 0.0
        self._away = False
        self._keeping_alive: asyncio.Task[None] | None = None

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._owned)

    async def poll(self, *, max_bytes: int, timeout: float) -> dict[TopicPartition, list[Record]]:
        deadline = self._clock.monotonic() + timeout
        while True:
            self._last_poll = self._clock.monotonic()
            if self._keeping_alive is None:
                self._keeping_alive = asyncio.create_task(self._keep_alive(), name=f"bus-leases-{self._group}")
            elif self._keeping_alive.done():
                self._keeping_alive.result()  # a bug of ours; without it leases run out while we work
            try:
                records = await self._poll_once(max_bytes, deadline)
            except ListenerFailed as failed:
                raise failed.error from None
            except BusUnavailable as error:
                if not self._away:
                    log.warning("bus_away", group=self._group, error=error.detail)
                self._away = True
                await self._clock.sleep(max(min(deadline - self._clock.monotonic(), _RETRY_SECONDS), 0))
                records = {}
            else:
                self._away = False
            if records or self._clock.monotonic() >= deadline:
                return records

    async def _poll_once(self, max_bytes: int, deadline: float) -> dict[TopicPartition, list[Record]]:
        """What is there, or after a while nothing."""
        await self._beat_when_due()
        await self._rebalance()
        wanted = {tp: owned.position for tp, owned in self._owned.items() if not owned.paused}
        if wanted:
            records = await self._read(wanted, max_bytes)
            if records or any(self._wanted(tp, wanted) is None for tp in wanted):
                return records
        now = self._clock.monotonic()
        wait = min(deadline - now, _LONGEST_WAIT_SECONDS, max(self._next_beat - now, 0.001))
        if wait > 0:
            await (self._store.wait(wanted, wait) if wanted else self._clock.sleep(wait))
        return {}

    async def committed(self, partition: TopicPartition) -> Position | None:
        return (await self._store.committed(self._group, [partition])).get(partition)

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """A partition that was never ours, or no longer is, has epoch -1, which no store knows."""
        fenced = {
            tp: (self._owned[tp].epoch if tp in self._owned else -1, position) for tp, position in positions.items()
        }
        if fenced:
            await self._store.commit(self._group, fenced)

    async def life(self, partition: TopicPartition) -> str:
        return await self._store.life(partition.topic)

    async def partition_count(self, topic: str) -> int:
        return await self._store.partition_count(topic)

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        self._own(partition).position = offset

    async def pause(self, partition: TopicPartition) -> None:
        self._own(partition).paused = True

    async def resume(self, partition: TopicPartition) -> None:
        self._own(partition).paused = False

    async def lag(self) -> dict[TopicPartition, int]:
        partitions = self.assignment()
        bounds = await self._store.bounds(partitions)
        committed = await self._store.committed(self._group, partitions)
        lag = {}
        for tp, (start, end) in bounds.items():
            position = committed.get(tp)
            lag[tp] = max(end - max(position.offset if position else start, start), 0)
        return lag

    async def check(self) -> None:
        await self._store.check()

    async def close(self) -> None:
        """Revoke everything, give it back and leave. The store being away is no error: leases run out."""
        if self._keeping_alive is not None:
            self._keeping_alive.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping_alive
        try:
            if self._owned:
                await self._listener.on_revoked(self.assignment())
        finally:
            for topic, state in self._topics.items():
                held = {**self._epochs(topic), **state.taken}
                try:
                    async with asyncio.timeout(self._settings.timeout_seconds):
                        await self._store.release(topic, self._group, self._member, held, leaving=True)
                except (BusUnavailable, TimeoutError):
                    log.info("bus_leases_left_to_expire", group=self._group, topic=topic)
            self._owned.clear()

    def _own(self, partition: TopicPartition) -> _Owned:
        try:
            return self._owned[partition]
        except KeyError:
            raise ValueError(f"{partition.topic}/{partition.partition} is not assigned to this consumer") from None

    def _epochs(self, topic: str) -> dict[int, int]:
        return {tp.partition: owned.epoch for tp, owned in self._owned.items() if tp.topic == topic}

    def _moved(self, wanted: Mapping[TopicPartition, int]) -> bool:
        return any(tp not in self._owned or self._owned[tp].position != offset for tp, offset in wanted.items())

    async def _read(self, wanted: Mapping[TopicPartition, int], max_bytes: int) -> dict[TopicPartition, list[Record]]:
        # Each partition comes first in turn: the budget may be spent before the last one.
        order = sorted(wanted)
        self._turn = (self._turn + 1) % len(order)
        order = order[self._turn :] + order[: self._turn]
        fetched = await self._store.read({tp: wanted[tp] for tp in order}, max_bytes)
        # Gaps first: a listener that fails must not leave records behind that poll has counted as returned.
        for tp, found in fetched.items():
            owned = self._wanted(tp, wanted)
            if owned is not None and not found.start <= owned.position <= found.end:
                expected, owned.position = owned.position, found.start
                log.warning("bus_gap", group=self._group, expected=expected, found=found.start, **asdict(tp))
                await tell(self._listener.on_gap(tp, expected, found.start))
        records: dict[TopicPartition, list[Record]] = {}
        for tp, found in fetched.items():
            owned = self._wanted(tp, wanted)
            if owned is not None and found.records:
                owned.position += len(found.records)
                records[tp] = found.records
        return records

    def _wanted(self, partition: TopicPartition, wanted: Mapping[TopicPartition, int]) -> _Owned | None:
        """The partition, if it has not been lost, paused or sought while it was read."""
        owned = self._owned.get(partition)
        return None if owned is None or owned.paused or owned.position != wanted[partition] else owned

    async def _keep_alive(self) -> None:
        """Renew leases while the owner works on what it polled. One that no longer polls loses them."""
        while True:
            await self._clock.sleep(max(self._next_beat - self._clock.monotonic(), 0.01))
            if self._clock.monotonic() - self._last_poll > self._settings.max_poll_interval_seconds:
                await self._clock.sleep(self._settings.session_timeout_seconds / 3)
                continue
            with suppress(BusUnavailable):
                await self._beat_when_due()

    async def _beat_when_due(self) -> None:
        async with self._beat_lock:
            if self._clock.monotonic() < self._next_beat:
                return
            self._next_beat = self._clock.monotonic() + _RETRY_SECONDS  # unless it succeeds
            hungry = False
            for topic, state in self._topics.items():
                owned = {**self._epochs(topic), **state.taken}
                beat = await self._store.heartbeat(topic, self._group, self._member, owned)
                state.share = beat.share
                state.lost |= beat.lost
                # One may be lost and taken again in the same beat: lost is what we had, taken is what we get.
                state.taken = {p: epoch for p, epoch in state.taken.items() if p not in beat.lost} | dict(beat.taken)
                hungry = hungry or len(owned) - len(beat.lost) + len(beat.taken) < beat.share
            pause = self._settings.session_timeout_seconds / 3
            self._next_beat = self._clock.monotonic() + (min(pause, _HUNGRY_SECONDS) if hungry else pause)

    async def _rebalance(self) -> None:
        """Act on what heartbeats found: first what is lost, then what others are due, then what is new."""
        for topic, state in self._topics.items():
            lost, state.lost = state.lost, set()
            await self._revoke({TopicPartition(topic, partition) for partition in lost})
            surplus = len(self._epochs(topic)) + len(state.taken) - state.share
            if surplus > 0:
                await self._give_back(topic, state, surplus)
            await self._assign(topic, state)

    async def _give_back(self, topic: str, state: _Topic, surplus: int) -> None:
        unused = sorted(state.taken, reverse=True)[:surplus]
        used = sorted(self._epochs(topic), reverse=True)[: surplus - len(unused)]
        epochs = {partition: self._epochs(topic)[partition] for partition in used}
        await self._revoke({TopicPartition(topic, partition) for partition in used})
        # Under the lock, because a heartbeat that still names them would lease them anew.
        async with self._beat_lock:
            epochs |= {partition: state.taken.pop(partition) for partition in unused if partition in state.taken}
            await self._store.release(topic, self._group, self._member, epochs, leaving=False)

    async def _revoke(self, partitions: Collection[TopicPartition]) -> None:
        going = frozenset(partitions) & self._owned.keys()
        if not going:
            return
        try:
            await tell(self._listener.on_revoked(going))
        finally:
            for tp in going:
                del self._owned[tp]

    async def _assign(self, topic: str, state: _Topic) -> None:
        if not state.taken:
            return
        coming = {TopicPartition(topic, partition): epoch for partition, epoch in state.taken.items()}
        committed = await self._store.committed(self._group, coming.keys())
        bounds = await self._store.bounds(coming.keys())
        # Heartbeats went on meanwhile: own only what is still ours.
        coming = {tp: epoch for tp, epoch in coming.items() if state.taken.get(tp.partition) == epoch}
        for tp, epoch in coming.items():
            position = committed.get(tp)
            self._owned[tp] = _Owned(epoch, position.offset if position else bounds[tp][0])
            del state.taken[tp.partition]
        if coming:
            await tell(self._listener.on_assigned(frozenset(coming)))
