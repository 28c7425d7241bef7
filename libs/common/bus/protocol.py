"""What a bus is: partitioned, durable, ordered logs with consumer groups. Kafka's model in the part that we use.

The same contract suite (tests/contract/bus) runs on every transport, so this text is the behaviour, not an intention.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]

# Kafka's default offset.metadata.max.bytes.
MAX_METADATA_BYTES = 4096


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One log."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class TopicPartitionOffset:
    """Where a sent record lies. Offsets start at 0 and have no gaps."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read. `timestamp_ms` is the producer's unix time in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Position:
    """A committed position: `offset` is the next one to read; `metadata` is stored atomically with it.

    Raises ValueError for a negative offset or more than MAX_METADATA_BYTES of metadata in UTF-8.
    """

    offset: int
    metadata: str = ""

    def __post_init__(self) -> None:
        if self.offset < 0:
            raise ValueError(f"offset must not be negative, is {self.offset}")
        if len(self.metadata.encode()) > MAX_METADATA_BYTES:
            raise ValueError(f"metadata must be at most {MAX_METADATA_BYTES} bytes, is {len(self.metadata.encode())}")


class RebalanceListener(Protocol):
    """Told about partitions coming and going.

    Called only inside `poll` and when the consumer closes, one call at a time, so it needs no locks against the code
    that polls. An exception leaves `poll`.
    """

    async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These are ours from now on; none of their records has been returned yet. May read `committed` and `seek`."""
        ...

    async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """These go to another consumer when this returns: commit what is finished, drop the rest.

        Where they are lost already (this process stood still for too long), a commit in here raises CommitFenced.
        Kafka revokes all partitions on each rebalance and assigns some again; Redis Streams only those that move.
        """
        ...

    async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
        """The record at offset `expected` is gone, by retention or by loss; reading goes on at `found`, the earliest."""
        ...


class Producer(Protocol):
    """Sends records. One per process is enough: concurrent sends share round trips."""

    async def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> TopicPartitionOffset:
        """Return when the record is durable, written once however often the transport had to retry.

        Without `partition`, records with equal keys share one and others are spread evenly. Order within a partition is
        the order of the calls. The current trace context is added to the headers.

        Raises BusUnavailable (503, with retry_after) when the bus is away, its backlog is full, or too many bytes are in
        flight already; then the record may or may not be written. Raises RecordTooLarge (413), and ValueError for a
        partition that the topic does not have.
        """
        ...

    async def check(self) -> None:
        """For readiness. Raises BusUnavailable when the bus does not answer."""
        ...


class Consumer(Protocol):
    """Reads as one member of a group. It joins with its first `poll` and leaves when closed.

    Keep polling, also while nothing is wanted (`pause`): a consumer that does not poll for the bus settings'
    max_poll_interval_seconds loses its partitions, because it looks dead.
    """

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that are ours now."""
        ...

    async def poll(self, *, max_bytes: int, timeout: float) -> dict[TopicPartition, list[Record]]:
        """Next records, each partition in order, without a gap that on_gap has not told.

        Waits up to `timeout` seconds for the first one; {} when none came, also while the bus is away. At most `max_bytes`
        of values and the rest of the record that passes it, so that whoever has a budget keeps it. Reading starts at the committed position, or at
        the earliest record where there is none.
        """
        ...

    async def committed(self, partition: TopicPartition) -> Position | None:
        """The group's committed position, from the bus; None before the first commit. Raises BusUnavailable."""
        ...

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Store positions; durable when it returns.

        Raises CommitFenced when one of the partitions is no longer ours, and then none of a topic's is stored.
        Raises BusUnavailable when the bus does not answer; then they may or may not be stored.
        """
        ...

    async def life(self, partition: TopicPartition) -> str:
        """Which life of its topic the partition is in, from the bus: an offset names a record only together with it.

        A topic that is deleted and made again, or whose bus was emptied, begins a new life and counts from 0 again. No two
        lives are called the same; at most 40 letters, digits, "-" and "_". Raises BusUnavailable.
        """
        ...

    async def partition_count(self, topic: str) -> int:
        """How many partitions the topic has, over all consumers. Raises BusUnavailable."""
        ...

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from `offset`. Raises ValueError when the partition is not ours."""
        ...

    async def pause(self, partition: TopicPartition) -> None:
        """Return nothing from this partition until `resume`. Forgotten when the partition is revoked."""
        ...

    async def resume(self, partition: TopicPartition) -> None:
        """Undo `pause`."""
        ...

    async def lag(self) -> dict[TopicPartition, int]:
        """Records between the committed position and the end, for our partitions. Raises BusUnavailable."""
        ...

    async def check(self) -> None:
        """For readiness. Raises BusUnavailable when the bus does not answer."""
        ...
