"""The writer against a bus and a store that fail in every way they can: each acknowledged record is stored, once."""

import asyncio
import random
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from libs.common.bus import load_declarations
from libs.common.clock import SystemClock
from libs.common.errors import StoreRejected, StoreUnavailable
from libs.common.metrics import sample_value
from libs.common.settings import BusSettings
from libs.common.testing.memory_bus import MemoryBus
from services.ingestion.batch import Batch
from services.ingestion.consumer import Writer
from services.ingestion.dead_letters import DeadLetters
from services.ingestion.metrics import WriterMetrics
from services.ingestion.repository import Rejected
from services.ingestion.settings import WriterSettings
from services.ingestion.signals import BY_TOPIC, DEAD_LETTERS_TOPIC, Signal
from services.ingestion.storing import BatchStore
from services.ingestion.writer import CONSUMER_GROUP

TOPIC = "telemetry.traces"
SETTINGS = WriterSettings(linger_seconds=0.005, poll_seconds=0.005, retry_seconds=0.001, retry_limit_seconds=0.002)
BUS = BusSettings(partitions=2, session_timeout_seconds=0.05)


class FlakyStore:
    """A store with the real one's token rule, and faults drawn per insert.

    lost: nothing stored, no answer. unheard: stored, no answer. hole: the token is noted and the rows are not (a kill
    between the engine's two steps), no answer.
    """

    def __init__(self, seed: int = 0, faults: float = 0.0) -> None:
        self.rows: Counter[tuple[int, int]] = Counter()
        self.tokens: set[str] = set()
        self.inserts: list[str] = []
        self.broken = False
        self._random = random.Random(seed)
        self._faults = faults

    async def insert(self, batch: Batch, token: str) -> None:
        await asyncio.sleep(self._random.random() * 0.004)
        poison = [record for record in batch.records if record.value.startswith(b"poison")]
        if poison or self.broken:
            raise Rejected("code 444: unknown protobuf format")
        fault = self._random.choice(["lost", "unheard", "hole"]) if self._random.random() < self._faults else None
        if fault == "lost":
            raise StoreUnavailable("connection refused")
        self.inserts.append(token)
        if token not in self.tokens:
            self.tokens.add(token)
            if fault != "hole":
                self.rows.update((batch.partition, record.offset) for record in batch.records)
        if fault:
            raise StoreUnavailable("connection reset")
        await asyncio.sleep(self._random.random() * 0.002)

    async def try_statement(self, signal: Signal) -> None:
        if self.broken:
            raise StoreRejected(code=47, reason=f"no such column in the table of {signal.name}")

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        found = {o: self.rows[batch.partition, o] for o in range(batch.first, batch.last + 1)}
        return {offset: rows for offset, rows in found.items() if rows}


class Rig:
    def __init__(self, store: FlakyStore) -> None:
        self.clock = SystemClock()
        self.bus = MemoryBus(self.clock, BUS)
        self.store = store
        self.registry = CollectorRegistry()
        self.metrics = WriterMetrics(self.registry)

    async def send(self, *values: bytes) -> None:
        await self.bus.ensure_topics(load_declarations())
        async with self.bus.open_producer() as producer:
            for value in values:
                headers = (("tenant", b"t"), ("received_at", b"1700000000000000000"), ("records", b"1"))
                await producer.send(TOPIC, value, headers=headers)

    async def run(self, stop: asyncio.Event) -> None:
        async with self.bus.open_producer() as producer:
            dead = DeadLetters(producer, SETTINGS, self.clock)
            store = BatchStore(self.store, dead, SETTINGS, self.clock, self.metrics)  # type: ignore[arg-type]
            writer = Writer(store, SETTINGS, self.clock, self.metrics)
            async with self.bus.open_consumer(CONSUMER_GROUP, sorted(BY_TOPIC), writer) as consumer:
                await writer.run(consumer, stop)

    async def run_until(self, count: int) -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(self.run(stop))
        async with asyncio.timeout(20):
            while len(self.store.rows) < count and not task.done():
                await asyncio.sleep(0.002)
        stop.set()
        await task


async def test_every_record_is_stored_once_and_committed() -> None:
    rig = Rig(FlakyStore())
    await rig.send(*[b"payload"] * 200)
    await rig.run_until(200)
    assert set(rig.store.rows.values()) == {1}
    assert sample_value(rig.registry, "airis_writer_rows_total", signal="traces") == 200
    before = list(rig.store.inserts)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await rig.run(stop)
    assert rig.store.inserts == before, "a clean stop leaves nothing to insert again"


@pytest.mark.parametrize("seed", range(12))
async def test_killed_again_and_again_over_a_failing_store(seed: int) -> None:
    """Cancelling stands for SIGKILL: no drain, no commit, whatever was in flight stays as it is."""
    rig = Rig(FlakyStore(seed, faults=0.3))
    draw = random.Random(seed)
    await rig.send(*[b"payload"] * 60)
    for _ in range(12):
        task = asyncio.create_task(rig.run(asyncio.Event()))
        await asyncio.sleep(draw.random() * 0.08)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.send(*[b"payload"] * 20)
    rig.store._faults = 0.0
    await rig.run_until(300)
    assert len(rig.store.rows) == 300
    assert set(rig.store.rows.values()) == {1}


async def test_two_writers_share_and_take_over() -> None:
    rig = Rig(FlakyStore(3, faults=0.2))
    await rig.send(*[b"payload"] * 100)
    stop = asyncio.Event()
    first, second = (asyncio.create_task(rig.run(stop)) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await rig.send(*[b"payload"] * 100)
    async with asyncio.timeout(20):
        while len(rig.store.rows) < 200:
            await asyncio.sleep(0.005)
    stop.set()
    await second
    assert set(rig.store.rows.values()) == {1}


async def test_an_unreadable_record_is_set_apart_and_its_neighbours_are_not() -> None:
    rig = Rig(FlakyStore())
    await rig.send(*[b"payload"] * 10, b"poison", *[b"payload"] * 10)
    await rig.run_until(20)
    dead = rig.bus.records(DEAD_LETTERS_TOPIC)
    assert [record.value for record in dead] == [b"poison"]
    headers = dict(dead[0].headers)
    assert b"444" in headers["reason"]
    assert headers["origin"].startswith(b"telemetry.traces-")
    assert headers["tenant"] == b"t"
    assert set(rig.store.rows.values()) == {1}
    assert sample_value(rig.registry, "airis_writer_dead_letters_total", signal="traces") == 1


async def test_a_broken_statement_stops_the_writer_and_sets_nothing_apart() -> None:
    rig = Rig(FlakyStore())
    rig.store.broken = True
    await rig.send(*[b"payload"] * 5)
    with pytest.raises(StoreRejected, match="refused"):
        await rig.run_until(5)
    assert rig.bus.records(DEAD_LETTERS_TOPIC) == []
    rig.store.broken = False
    await rig.run_until(5)
    assert set(rig.store.rows.values()) == {1}


async def test_a_bus_that_goes_away_is_waited_for() -> None:
    rig = Rig(FlakyStore())
    await rig.send(*[b"payload"] * 50)
    stop = asyncio.Event()
    task = asyncio.create_task(rig.run(stop))
    await asyncio.sleep(0.02)
    rig.bus.away = True
    await asyncio.sleep(0.1)
    rig.bus.away = False
    await rig.send(*[b"payload"] * 50)
    async with asyncio.timeout(20):
        while len(rig.store.rows) < 100:
            await asyncio.sleep(0.005)
    stop.set()
    await task
    assert set(rig.store.rows.values()) == {1}
