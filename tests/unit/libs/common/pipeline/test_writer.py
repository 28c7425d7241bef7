"""The writer against a bus and a store that fail in every way they can: each acknowledged record is stored, once."""

import asyncio
import random

import pytest

from libs.common.bus.protocol import Position, TopicPartition
from libs.common.errors import StoreRejected
from libs.common.pipeline import Memory, PipelineSettings, WindowTooSmall
from libs.common.testing.fake_store import FakeStore, Faults
from libs.common.testing.pipeline_simulation import GROUP
from libs.common.testing.virtual_time import VirtualClock, run_virtual
from tests.unit.libs.common.pipeline.harness import SETTINGS, Rig, committed


def test_every_record_is_stored_once_and_committed() -> None:
    async def scenario() -> None:
        rig = Rig()
        await rig.send(200)
        await rig.drain(200)
        rig.assert_once()
        assert rig.metric("airis_writer_rows_total") == 200
        before = list(rig.store.inserts)
        await rig.drain(200)
        assert rig.store.inserts == before, "a clean stop leaves nothing to insert again"

    run_virtual(scenario())


@pytest.mark.parametrize("seed", range(6))
def test_killed_again_and_again_over_a_failing_store(seed: int) -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), seed, faults=Faults(lost=0.2, unheard=0.2, slowest=0.5)), partitions=3)
        draw = random.Random(seed)
        await rig.send(60)
        for _ in range(12):
            async with rig.writing(kill=True):
                await asyncio.sleep(draw.random() * 4)
            await rig.send(20)
        rig.store.faults = Faults()
        await rig.drain(300)
        rig.assert_once()

    run_virtual(scenario())


def test_two_writers_share_and_take_over() -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), 3, faults=Faults(lost=0.1, unheard=0.1)), partitions=4)
        await rig.send(100)
        async with rig.writing(kill=True):
            async with rig.writing(kill=True):
                await asyncio.sleep(3)
            await rig.send(100)
            await rig.stored(200)
        await rig.drain(200)
        rig.assert_once()

    run_virtual(scenario())


@pytest.mark.parametrize("place", [0, 7, 20])
def test_an_unreadable_record_is_set_apart_and_its_neighbours_are_not(place: int) -> None:
    async def scenario() -> None:
        rig = Rig(partitions=1)
        await rig.send(place)
        await rig.send(1, value=b"poison")
        await rig.send(20 - place)
        await rig.drain(20)
        dead = rig.bus.records(rig.dead_letters)
        assert [record.value[:6] for record in dead] == [b"poison"]
        headers = dict(dead[0].headers)
        assert b"444" in headers["reason"]
        assert headers["origin"] == f"{rig.topic}-0-{place}".encode()
        rig.assert_once()
        assert rig.metric("airis_writer_dead_letters_total") == 1
        assert len(rig.store.inserts) <= 12, "halves grow again behind the bad record"

    run_virtual(scenario())


def test_a_broken_statement_stops_the_writer_and_sets_nothing_apart() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.store.broken = True
        await rig.send(5)
        with pytest.raises(StoreRejected, match="refused"):
            await rig.drain(5)
        assert rig.bus.records(rig.dead_letters) == []
        rig.store.broken = False
        await rig.drain(5)
        rig.assert_once()

    run_virtual(scenario())


def test_a_bus_that_goes_away_is_waited_for() -> None:
    async def scenario() -> None:
        rig = Rig()
        await rig.send(50)
        async with rig.writing():
            await asyncio.sleep(0.05)
            rig.bus.away = True
            await asyncio.sleep(5)
            rig.bus.away = False
            await rig.send(50)
            await rig.stored(100)
        rig.assert_once()

    run_virtual(scenario())


def test_an_intent_of_the_release_before_is_finished_under_its_own_token() -> None:
    """It knew no lives and noted no time, so what it may have stored is counted first."""

    async def scenario(stored: bool) -> None:
        rig = Rig(partitions=1)
        await rig.send(10)
        log = rig.bus._state.log(TopicPartition(rig.topic, 0))
        if stored:
            for target in (rig.store._table, rig.store._view):
                target.tokens[f"{rig.topic}-0-0-3"] = 0.0
                target.add(tuple(log.records)[:4], 0.0)
            rig.store.values.update(rig.sent[:4])
            rig.store.rollup.update(rig.sent[:4])
        rig.bus._state.topic(rig.topic).group(GROUP).positions[0] = Position(0, "last=3")
        await rig.drain(10)
        rig.assert_once()
        life = rig.bus._state.topic(rig.topic).life
        expected = [f"{rig.topic}-{life}-0-4-9"]
        assert rig.store.inserts == (expected if stored else [f"{rig.topic}-0-0-3", *expected])
        assert await committed(rig, 0) == (10, f"life={life}")

    for stored in (False, True):
        run_virtual(scenario(stored))


def test_a_window_that_is_too_small_ends_the_writer_with_what_to_do() -> None:
    async def scenario() -> None:
        rig = Rig(
            FakeStore(
                VirtualClock(), memory=Memory(atomic=False, tokens=3, setting="t.non_replicated_deduplication_window")
            )
        )
        await rig.send(1)
        with pytest.raises(WindowTooSmall, match=r"t\.non_replicated_deduplication_window is 3"):
            await rig.drain(1)
        assert rig.store.inserts == []

    run_virtual(scenario())


def test_few_records_are_few_inserts_and_none_waits_long() -> None:
    async def scenario() -> tuple[int, float]:
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(slowest=0.1)), partitions=1)
        await rig.send(0)
        async with rig.writing():
            for _ in range(100):
                await rig.send(1)
                await asyncio.sleep(0.1)
            await rig.stored(100)
        rig.assert_once()
        total = rig.registry.get_sample_value("airis_writer_freshness_seconds_sum", {"signal": "fake"}) or 0.0
        return len(rig.store.inserts), total / len(rig.store.inserts)

    inserts, freshness = run_virtual(scenario())
    assert 8 <= inserts <= 25, "a trickle of ten a second for ten seconds"
    assert freshness < 1.3


def test_all_partitions_stay_within_one_budget_while_the_store_is_away() -> None:
    async def scenario() -> None:
        settings = SETTINGS.model_copy(
            update={"memory_bytes": PipelineSettings(batch_bytes=64 * 1024).least_memory_bytes}
        )
        rig = Rig(FakeStore(VirtualClock()), partitions=72, settings=settings)
        for partition in range(72):
            await rig.send(10, size=20_000, partition=partition)
        rig.store.faults.away = True
        async with rig.writing():
            await asyncio.sleep(30)
            assert rig.writer is not None
            assert 64 * 1024 < rig.writer.budget.used <= settings.memory_bytes
            rig.store.faults.away = False
            await rig.stored(720)
            assert rig.writer.budget.peak <= settings.memory_bytes
            await asyncio.sleep(5)
            assert rig.writer.budget.used == 0
        rig.assert_once()

    run_virtual(scenario())


def test_announced_batches_of_all_partitions_are_finished_within_the_budget() -> None:
    """None of them sets memory free before its end has been read."""

    async def scenario() -> None:
        settings = SETTINGS.model_copy(
            update={"memory_bytes": PipelineSettings(batch_bytes=64 * 1024).least_memory_bytes}
        )
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(unheard=1.0)), partitions=24, settings=settings)
        for partition in range(24):
            await rig.send(4, size=15_000, partition=partition)
        async with rig.writing(kill=True):
            await asyncio.sleep(30)
        rig.store.faults = Faults()
        await rig.drain(96)
        rig.assert_once()
        assert rig.writer is not None
        assert rig.writer.budget.peak <= settings.memory_bytes

    run_virtual(scenario())
