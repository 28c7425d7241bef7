"""Faults that were found in the pipeline before this one, each as it was found."""

import asyncio

import pytest

from libs.common.bus.protocol import TopicPartition
from libs.common.pipeline import Memory
from libs.common.testing.fake_store import FakeStore, Faults
from libs.common.testing.virtual_time import VirtualClock, run_virtual
from tests.unit.libs.common.pipeline.harness import SETTINGS, STALL, Rig, committed


def test_replicas_that_lag_are_not_asked_whether_there_are_holes() -> None:
    """A count that sees nothing would insert the rows again, under a token that the store does not know."""

    async def scenario() -> None:
        store = FakeStore(
            VirtualClock(), 1, memory=Memory(atomic=True, tokens=1000, seconds=3600), faults=Faults(unheard=0.9)
        )
        rig = Rig(store)
        await rig.send(40)
        async with rig.writing(kill=True):
            await asyncio.sleep(3)
        store.faults = Faults()
        await rig.drain(40)
        rig.assert_once()
        assert store.counts == 0

    run_virtual(scenario())


def test_an_insert_of_the_owner_before_is_ended_before_anyone_counts() -> None:
    """It would make its rows visible after they were found missing and inserted under a further token."""

    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), 2, faults=Faults(slowest=8.0)), partitions=1)
        await rig.send(10)
        async with rig.writing(kill=True):
            while not rig.store._running:
                await asyncio.sleep(0.01)
        assert rig.store._running, "the insert outlives its sender"
        await rig.drain(10)
        rig.assert_once()
        assert all(token.endswith("-0-0-9") for token in rig.store.inserts)

    run_virtual(scenario())


def test_a_hole_that_a_kill_left_on_a_single_server_is_filled() -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), 1, faults=Faults(hole=1.0)), partitions=1)
        await rig.send(5)
        async with rig.writing(kill=True):
            while not rig.store._table.tokens:
                await asyncio.sleep(0.01)
        rig.store.faults = Faults()
        await rig.drain(5)
        assert set(rig.store.values) == set(rig.sent)
        assert set(rig.store.values.values()) == {1}
        assert rig.metric("airis_writer_holes_total") == 5

    run_virtual(scenario())


@pytest.mark.parametrize("atomic", [True, False])
def test_a_replay_that_outlives_the_window_is_recognised(atomic: bool) -> None:
    """One partition's answers are lost for as long as it takes the others to push its token out of the window."""

    async def scenario() -> None:
        memory = Memory(atomic, 100, 2 * STALL) if atomic else Memory(atomic, 100)
        rig = Rig(FakeStore(VirtualClock(), memory=memory, faults=Faults(mute={0})))
        await rig.send(3, partition=0)
        async with rig.writing():
            await rig.stored(3)
            token = rig.store.inserts[0]
            while token in rig.store._table.tokens and len(rig.store.inserts) < 2000:
                await rig.send(1, partition=1)
                await asyncio.sleep(0.5)
            rig.store._table.knows("", rig.clock.monotonic(), memory.tokens, memory.seconds)
            assert token not in rig.store._table.tokens
            rig.store.faults.mute = set()
            await asyncio.sleep(2 * STALL)
        rig.assert_once()

    run_virtual(scenario())


@pytest.mark.parametrize("keep_commits", [False, True])
def test_a_topic_that_is_made_again_begins_with_tokens_of_its_own(keep_commits: bool) -> None:
    """Offsets count from 0 again; under the same tokens the store would drop the new records without a word."""

    async def scenario() -> None:
        rig = Rig(partitions=1)
        await rig.send(10)
        await rig.drain(10)
        rig.bus.recreate(rig.topic, keep_commits=keep_commits)
        await rig.send(10)
        await rig.drain(20)
        rig.assert_once()

    run_virtual(scenario())


def test_a_topic_that_is_made_again_under_a_running_writer() -> None:
    async def scenario() -> None:
        rig = Rig(partitions=1)
        await rig.send(10)
        async with rig.writing():
            await rig.stored(10)
            await asyncio.sleep(1)
            rig.bus.recreate(rig.topic)
            await rig.send(25)  # past where the writer reads
            await rig.stored(35)
            await asyncio.sleep(2)
        rig.assert_once()
        assert await committed(rig, 0) == (25, "life=life3")

    run_virtual(scenario())


def test_records_of_a_life_before_are_not_taken_for_those_of_this_one() -> None:
    """The count asks by offset; an intent beyond the window meets rows of the same offsets from before."""

    async def scenario() -> None:
        rig = Rig(partitions=1)
        await rig.send(10)
        await rig.drain(10)
        rig.bus.recreate(rig.topic)
        rig.store.faults = Faults(lost=1.0)
        await rig.send(10)
        async with rig.writing(kill=True):
            await asyncio.sleep(5)
        await asyncio.sleep(2 * STALL)
        rig.store.faults = Faults()
        await rig.drain(20)
        rig.assert_once()
        assert rig.metric("airis_writer_counted_batches_total") == 1

    run_virtual(scenario())


@pytest.mark.parametrize("faults", [Faults(slow_reads=1.0), Faults(dear_reads=1.0)], ids=["slow", "dear"])
def test_a_count_that_fails_never_ends_the_writer(faults: Faults) -> None:
    async def scenario() -> None:
        rig = Rig(partitions=1)
        rig.store.faults.unheard = 1.0
        await rig.send(8)
        async with rig.writing(kill=True):
            await rig.stored(8)
        rig.store.faults = faults
        async with rig.writing() as task:
            await asyncio.sleep(SETTINGS.count_seconds + 5)
            await rig.send(8)
            await rig.stored(16)
            assert not task.done()
        rig.assert_once()
        assert rig.metric("airis_writer_unreconciled_total") == (8 if faults.slow_reads else 0), (
            "dear counts are made in parts"
        )

    run_virtual(scenario())


def test_beyond_the_window_a_count_that_fails_holds_the_partition_and_nothing_else() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.store.faults.unheard = 1.0
        await rig.send(4, partition=0)
        async with rig.writing(kill=True):
            await rig.stored(4)
        await asyncio.sleep(2 * STALL)
        rig.store.faults = Faults(slow_reads=1.0)
        async with rig.writing() as task:
            await rig.send(4, partition=0)
            await rig.send(4, partition=1)
            await rig.stored(8)
            await asyncio.sleep(60)
            assert not task.done()
            assert len(rig.store.values) == 8
            rig.store.faults = Faults()
            await rig.stored(12)
        rig.assert_once()

    run_virtual(scenario())


def test_a_batch_that_takes_too_much_memory_is_cut_after_some_tries() -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(most_records=3)), partitions=1)
        await rig.send(20)
        async with rig.writing(kill=True):
            await rig.stored(4)
        await rig.drain(20)
        rig.assert_once()
        assert rig.bus.records(rig.dead_letters) == []

    run_virtual(scenario())


def test_a_record_that_alone_takes_too_much_memory_is_set_apart() -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(most_records=0)), partitions=1)
        await rig.send(1)
        async with rig.writing():
            async with asyncio.timeout(600):
                while not rig.bus.records(rig.dead_letters):
                    await asyncio.sleep(0.1)
            rig.store.faults = Faults()
            await rig.send(3)
            await rig.stored(3)
        assert b"memory" in dict(rig.bus.records(rig.dead_letters)[0].headers)["reason"]

    run_virtual(scenario())


def test_a_view_without_memory_does_not_double_the_table_by_cutting() -> None:
    async def scenario() -> None:
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(half=1.0)), partitions=1)
        await rig.send(8)
        async with rig.writing():
            await rig.stored(8)
            await asyncio.sleep(10)
            rig.store.faults = Faults()
            await asyncio.sleep(10)
        rig.assert_once()

    run_virtual(scenario())


def test_a_smaller_batch_size_does_not_stall_a_larger_announced_batch() -> None:
    async def scenario() -> None:
        large = SETTINGS.model_copy(update={"batch_bytes": 1024**2, "memory_bytes": 64 * 1024**2})
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(unheard=1.0)), partitions=1, settings=large)
        await rig.send(30, size=30_000)
        async with rig.writing(kill=True):
            await rig.stored(30)
        rig.store.faults = Faults()
        rig.settings = SETTINGS
        await rig.send(5)
        await rig.drain(35)
        rig.assert_once()

    run_virtual(scenario())


def test_retention_that_takes_the_head_of_an_announced_batch() -> None:
    """Its token stands for more than is left, so what is left is counted before anything is inserted."""

    async def scenario(stored: bool) -> None:
        rig = Rig(FakeStore(VirtualClock(), faults=Faults(unheard=1.0) if stored else Faults(lost=1.0)), partitions=1)
        await rig.send(10)
        async with rig.writing(kill=True):
            await asyncio.sleep(3)
        rig.bus.log(TopicPartition(rig.topic, 0)).drop_before(4)
        rig.store.faults = Faults()
        await rig.drain(10 if stored else 6)
        assert set(rig.store.values) == set(rig.sent if stored else rig.sent[4:])
        assert set(rig.store.values.values()) == {1}
        assert rig.store.rollup == rig.store.values

    for stored in (True, False):
        run_virtual(scenario(stored))
