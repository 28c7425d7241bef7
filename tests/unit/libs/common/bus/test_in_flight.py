import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.bus.in_flight import InFlightBytes
from libs.common.errors import BusUnavailable


async def started(budget: InFlightBytes, size: int) -> "asyncio.Task[None]":
    task = asyncio.create_task(budget.acquire(size))
    await asyncio.sleep(0)
    return task


async def test_room_is_given_in_the_order_of_asking() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(80)
    large, small = await started(budget, 60), await started(budget, 10)
    assert not large.done()
    assert not small.done(), "it would fit, and would starve the large one"
    budget.release(80)
    await asyncio.gather(large, small)
    assert budget.used == 70


async def test_more_than_may_wait_is_refused_at_once() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(100)
    waiting = [await started(budget, 50) for _ in range(2)]
    with pytest.raises(BusUnavailable) as refused:
        await budget.acquire(1)
    assert refused.value.retry_after
    budget.release(100)
    await asyncio.gather(*waiting)


async def test_one_larger_than_the_budget_goes_alone() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(500)
    other = await started(budget, 1)
    assert not other.done()
    budget.release(500)
    await other
    assert budget.used == 1


async def test_who_leaves_the_queue_makes_room_for_the_next() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(50)
    large, small = await started(budget, 80), await started(budget, 20)
    large.cancel()
    await asyncio.gather(large, return_exceptions=True)
    await small
    assert budget.used == 70


async def test_who_leaves_when_its_turn_comes_gives_back() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(100)
    task = await started(budget, 100)
    budget.release(100)  # its turn, and it has not run yet
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert budget.used == 0
    await budget.acquire(100)


async def test_who_leaves_just_before_its_turn_takes_nothing() -> None:
    budget = InFlightBytes(100)
    await budget.acquire(100)
    task, other = await started(budget, 100), await started(budget, 0)
    task.cancel()
    budget.release(100)
    await asyncio.gather(task, return_exceptions=True)
    await other
    assert budget.used == 0


@given(st.lists(st.tuples(st.integers(0, 150), st.sampled_from(["acquire", "release", "cancel"])), max_size=40))
def test_nothing_is_given_twice_or_lost(steps: list[tuple[int, str]]) -> None:
    async def run() -> None:
        budget = InFlightBytes(100)
        tasks: list[tuple[int, asyncio.Task[None]]] = []
        for size, step in steps:
            if step == "acquire":
                tasks.append((size, await started(budget, size)))
            elif tasks:
                _, task = chosen = tasks[size % len(tasks)]
                if step == "cancel":
                    task.cancel()
                elif task.done():
                    tasks.remove(chosen)
                    if not task.cancelled() and task.exception() is None:
                        budget.release(chosen[0])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            held = [size for size, task in tasks if task.done() and not task.cancelled() and task.exception() is None]
            assert budget.used == sum(held)
            assert budget.used <= 100 or len([size for size in held if size]) == 1
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)

    asyncio.run(run())
