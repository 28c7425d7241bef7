"""A store in memory with the real one's rules about tokens, and its faults.

A table and a rollup that a view feeds, the table first; each notes tokens for itself and forgets the oldest beyond its window.
An insert runs in the store, whether or not its sender lives on, and under one id only once at a time. `atomic` is a replicated
engine: token and rows at once, forgotten after `seconds` too, and replicas that lag. What may go wrong is drawn per statement.
"""

import asyncio
import random
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from libs.common.bus.protocol import Record
from libs.common.clock import Clock
from libs.common.errors import QueryTimeout, QueryTooExpensive, StoreRejected, StoreUnavailable
from libs.common.pipeline import Batch, Memory, Rejected, TooLarge


@dataclass
class Faults:
    """Shares of statements, 0 to 1, and limits."""

    # Nothing stored, no answer.
    lost: float = 0.0
    # Stored, no answer.
    unheard: float = 0.0
    # Killed between the token and the rows of the table (a single server without mending).
    hole: float = 0.0
    # The table has it, the view has not: its memory did not suffice.
    half: float = 0.0
    # Reads that time out, and reads that cost too much unless they ask for few records.
    slow_reads: float = 0.0
    dear_reads: float = 0.0
    # Records of one insert, beyond which it needs too much memory.
    most_records: int = 1_000_000
    # Seconds an insert takes, at most.
    slowest: float = 0.05
    # Partitions whose inserts are stored and never confirmed.
    mute: set[int] = field(default_factory=set)
    away: bool = False


class _Target:
    """One table: rows by record, with the time at which they came, and the tokens it knows."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, int, int, int]] = Counter()
        self.since: dict[tuple[str, int, int, int], float] = {}
        self.tokens: OrderedDict[str, float] = OrderedDict()

    def knows(self, token: str, now: float, window: int, seconds: float) -> bool:
        while self.tokens and (len(self.tokens) > window or next(iter(self.tokens.values())) < now - seconds):
            self.tokens.popitem(last=False)
        return token in self.tokens

    def add(self, records: tuple[Record, ...], now: float) -> None:
        for record in records:
            key = (record.topic, record.partition, record.offset, record.timestamp_ms)
            self.rows[key] += 1
            self.since[key] = now


class FakeStore:
    """See the module. `values` counts stored records by value, `rollup` what the view made of them."""

    def __init__(
        self,
        clock: Clock,
        seed: int = 0,
        *,
        memory: Memory | None = None,
        faults: Faults | None = None,
        lag: float = 0.0,
    ) -> None:
        self.clock = clock
        self.memory = memory or Memory(atomic=False, tokens=10_000)
        self.faults = faults or Faults()
        self.lag = lag
        self.values: Counter[bytes] = Counter()
        self.rollup: Counter[bytes] = Counter()
        # Of batches that ended between the two, for good unless their token comes again.
        self.halved: set[bytes] = set()
        self.inserts: list[str] = []
        self.counts = 0
        self.broken = False
        self._table, self._view = _Target(), _Target()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._random = random.Random(seed)

    async def insert(self, batch: Batch, token: str) -> None:
        """As Sink.insert."""
        await self.clock.sleep(self._random.random() * self.faults.slowest / 4)
        if self.faults.away:
            raise StoreUnavailable("connection refused")
        if self.broken or any(record.value.startswith(b"poison") for record in batch.records):
            raise Rejected("code 444: unknown protobuf format")
        if len(batch.records) > self.faults.most_records:
            raise TooLarge("code 241: memory limit exceeded")
        if token in self._running and not self.memory.atomic:
            raise StoreUnavailable("code 216: query with this id is already running")
        if self._happens(self.faults.lost):
            raise StoreUnavailable("connection reset before it began")
        self.inserts.append(token)
        running = asyncio.get_running_loop().create_task(self._run(batch, token), name=f"insert {token}")
        self._running[token] = running
        running.add_done_callback(lambda task: self._ended(token, task))
        # Whoever sent it may die meanwhile.
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled() and not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise StoreUnavailable("code 394: query was cancelled") from None
            raise
        if self._happens(self.faults.unheard) or batch.partition.partition in self.faults.mute:
            raise StoreUnavailable("connection reset before the answer")

    def _ended(self, token: str, task: "asyncio.Task[None]") -> None:
        if self._running.get(token) is task:
            del self._running[token]
        if not task.cancelled():
            task.exception()  # its sender may not live any more

    async def _run(self, batch: Batch, token: str) -> None:
        # Read and decode, then both commits with a moment between them.
        await self.clock.sleep(self._random.random() * self.faults.slowest)
        if self._commit(self._table, self.values, batch, token, hole=self._happens(self.faults.hole)):
            raise StoreUnavailable("killed between token and rows")
        self.halved.update(record.value for record in batch.records)
        await self.clock.sleep(self._random.random() * self.faults.slowest / 4)
        if self._happens(self.faults.half):
            raise TooLarge("code 241: memory limit exceeded: while pushing to view")
        self._commit(self._view, self.rollup, batch, token, hole=False)
        self.halved.difference_update(record.value for record in batch.records)

    def _commit(self, target: _Target, values: Counter[bytes], batch: Batch, token: str, *, hole: bool) -> bool:
        now = self.clock.monotonic()
        if target.knows(token, now, self.memory.tokens, self.memory.seconds):
            return False
        target.tokens[token] = now
        if hole and not self.memory.atomic:
            return True
        target.add(batch.records, now)
        values.update(record.value for record in batch.records)
        return False

    async def end_insert(self, token: str) -> None:
        """As Sink.end_insert: it is stopped wherever it is."""
        if self.faults.away:
            raise StoreUnavailable("connection refused")
        running = self._running.get(token)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        await self.clock.sleep(0.001)

    async def stored_rows(self, batch: Batch, *, lag: float = 0.0) -> dict[int, int]:
        """As Sink.stored_rows: of all replicas, or of one that is `lag` seconds behind."""
        self.counts += 1
        await self.clock.sleep(0.002)
        if self.faults.away:
            raise StoreUnavailable("connection refused")
        if self._happens(self.faults.slow_reads):
            raise QueryTimeout("the store did not answer in time")
        if len(batch.records) > 2 and self._happens(self.faults.dear_reads):
            raise QueryTooExpensive("the query passes its memory cap")
        until = self.clock.monotonic() - lag
        found = {}
        for record in batch.records:
            key = (record.topic, record.partition, record.offset, record.timestamp_ms)
            if self._table.since.get(key, until + 1) <= until:
                found[record.offset] = self._table.rows[key]
        return found

    async def try_statement(self) -> None:
        """As Sink.try_statement."""
        if self.faults.away:
            raise StoreUnavailable("connection refused")
        if self.broken:
            raise StoreRejected(code=47, reason="no such column")

    async def settle(self) -> None:
        """Until no insert runs."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share


class FakeSink:
    """Sink over a FakeStore: one row a record."""

    def __init__(self, store: FakeStore, name: str = "fake") -> None:
        self.store = store
        self.name = name

    def rows(self, record: Record) -> int:
        return 0 if record.value.startswith(b"empty") else 1

    def received_ns(self, record: Record) -> int:
        return record.timestamp_ms * 1_000_000

    def normalised(self, record: Record) -> Record | None:  # noqa: ARG002 (the protocol's)
        return None

    async def memory(self) -> Memory:
        if self.store.faults.away:
            raise StoreUnavailable("connection refused")
        return self.store.memory

    async def insert(self, batch: Batch, token: str) -> None:
        await self.store.insert(batch, token)

    async def end_insert(self, token: str) -> None:
        await self.store.end_insert(token)

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        return await self.store.stored_rows(batch)

    async def try_statement(self) -> None:
        await self.store.try_statement()
