"""Leases, last runs, progress, cancels and members: what holds for every store."""

import asyncio

import pytest

from libs.common.workers import JobStatus, JobStore, LastRun, Lease, LeaseLost, Progress

LONG = 30.0
SHORT = 0.15


async def acquired(store: JobStore, job: str = "job", holder: str = "a", seconds: float = LONG) -> Lease:
    found = await store.acquire(job, holder, seconds)
    assert found is not None
    return found.lease


async def test_one_holds_a_lease_at_a_time(store: JobStore) -> None:
    await acquired(store)
    assert await store.acquire("job", "b", LONG) is None
    await acquired(store, job="another job", holder="b")


async def test_of_many_who_ask_at_once_one_gets_it(store: JobStore) -> None:
    answers = await asyncio.gather(*(store.acquire("job", f"holder-{n}", LONG) for n in range(20)))
    assert sum(answer is not None for answer in answers) == 1


async def test_tokens_grow_with_each_holder(store: JobStore) -> None:
    fences = []
    for holder in ("a", "b", "a"):
        lease = await acquired(store, holder=holder)
        fences.append(lease.fence)
        await store.release(lease)
    assert fences == sorted(set(fences))


async def test_a_lease_that_ran_out_is_free_and_its_holder_learns_of_it(store: JobStore) -> None:
    old = await acquired(store, seconds=SHORT)
    await asyncio.sleep(2 * SHORT)
    with pytest.raises(LeaseLost):
        await store.renew(old, LONG, None)
    new = await acquired(store, holder="b")
    assert new.fence > old.fence
    for late in (store.renew(old, LONG, None), store.save(old, "x"), store.finish(old, 1, "ok", 2)):
        with pytest.raises(LeaseLost):
            await late
    await store.release(old)
    assert (await store.status("job")).holder == "b"


async def test_what_was_finished_late_counts_while_nobody_took_over(store: JobStore) -> None:
    old = await acquired(store, seconds=SHORT)
    await asyncio.sleep(2 * SHORT)
    await store.save(old, "half")
    await store.finish(old, 7, "failed", 8)
    assert await store.last("job") == LastRun(7, done=False)


async def test_renewing_holds_a_lease(store: JobStore) -> None:
    lease = await acquired(store, seconds=SHORT)
    await store.renew(lease, LONG, None)
    await asyncio.sleep(2 * SHORT)
    assert await store.acquire("job", "b", LONG) is None


async def test_who_asks_again_after_a_lost_answer_gets_it(store: JobStore) -> None:
    first = await acquired(store)
    assert (await acquired(store)).fence > first.fence


async def test_a_checkpoint_is_there_until_the_run_is_done(store: JobStore) -> None:
    lease = await acquired(store)
    await store.save(lease, "at ä")
    await store.release(lease)
    found = await store.acquire("job", "b", LONG)
    assert found is not None
    assert (found.checkpoint, found.last) == ("at ä", None)
    await store.finish(found.lease, 1_700_000_000_000_000_001, "failed", 5)
    await store.release(found.lease)
    found = await store.acquire("job", "b", LONG)
    assert found is not None
    assert (found.checkpoint, found.last) == ("at ä", LastRun(1_700_000_000_000_000_001, done=False))
    await store.finish(found.lease, 2, "ok", 6)
    await store.release(found.lease)
    found = await store.acquire("job", "b", LONG)
    assert found is not None
    assert (found.checkpoint, found.last) == ("", LastRun(2, done=True))


async def test_a_cancel_reaches_the_run_in_progress_and_no_later_one(store: JobStore) -> None:
    assert not await store.request_cancel("job")
    lease = await acquired(store)
    assert not await store.renew(lease, LONG, None)
    assert await store.request_cancel("job")
    assert (await store.status("job")).cancelling
    assert await store.renew(lease, LONG, None)
    await store.release(lease)
    assert not await store.request_cancel("job")
    later = await acquired(store)
    assert not await store.renew(later, LONG, None)
    assert not (await store.status("job")).cancelling


async def test_anybody_can_read_how_a_job_is(store: JobStore) -> None:
    assert await store.status("job") == JobStatus("job")
    lease = await acquired(store)
    await store.renew(lease, LONG, Progress(1.5, 3, "shard ü", 12.25))
    assert await store.status("job") == JobStatus("job", "a", progress=Progress(1.5, 3.0, "shard ü", 12.25))
    await store.renew(lease, LONG, Progress(2))
    await store.finish(lease, 10, "cancelled", 20)
    await store.release(lease)
    status = await store.status("job")
    assert status == JobStatus("job", "", False, Progress(2.0), LastRun(10, done=True), "cancelled", 20)
    assert list(await store.jobs()) == ["job"]


async def test_members_live_while_they_say_so(store: JobStore) -> None:
    assert await store.meet("group", "a", LONG) == {"a"}
    assert await store.meet("group", "b", SHORT) == {"a", "b"}
    assert await store.meet("another", "c", LONG) == {"c"}
    await asyncio.sleep(2 * SHORT)
    assert await store.meet("group", "a", LONG) == {"a"}
    await store.leave("group", "a")
    assert await store.meet("group", "b", LONG) == {"b"}
