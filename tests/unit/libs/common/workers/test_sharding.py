"""Nothing is done twice or left undone when members come, go and die."""

import asyncio
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from libs.common.testing import FakeClock
from libs.common.testing.memory_jobs import MemoryJobStore
from libs.common.workers import Run, Shards, Worker, WorkerMetrics, owner_of, shard_of

MEMBERS = st.sets(st.text(min_size=1, max_size=12), min_size=1, max_size=12)
SHARDS = 6


def test_a_key_stays_in_its_shard_for_ever() -> None:
    assert [shard_of(key, 16) for key in ("checkout", "payment", "ünïcode", "")] == [0, 12, 13, 4]


@given(MEMBERS, st.integers(0, 1000))
def test_a_member_that_goes_moves_only_its_own_shards(members: set[str], shard: int) -> None:
    owner = owner_of(shard, members)
    assert owner in members
    for gone in members - {owner}:
        assert owner_of(shard, members - {gone}) == owner


@given(MEMBERS, st.text(min_size=13, max_size=20), st.integers(0, 1000))
def test_a_member_that_comes_takes_shards_and_moves_no_others(members: set[str], new: str, shard: int) -> None:
    assert owner_of(shard, members | {new}) in {owner_of(shard, members), new}


def test_shards_are_spread() -> None:
    members = [f"host-{n}" for n in range(4)]
    shares = Counter(owner_of(shard, members) for shard in range(400))
    assert len(shares) == 4
    assert all(60 < share < 140 for share in shares.values()), shares
    assert owner_of(1, []) is None


class Plant:
    """Members that tick each of their shards once a second; a tick is written only under the latest token, as a store would."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.store = MemoryJobStore(clock)
        self.members: dict[str, tuple[asyncio.Task[None], asyncio.Event, Shards]] = {}
        self.working: Counter[int] = Counter()
        self.fences: dict[int, int] = {}
        self.last_tick: dict[int, float] = {}
        self.doubled: list[int] = []

    def join(self, name: str) -> None:
        worker = Worker("tick", _unused, lease_seconds=15, drain_seconds=3)
        metrics = WorkerMetrics(CollectorRegistry())
        shards = Shards(
            worker, SHARDS, self._work, self.clock, metrics, self.store, random=Random(len(self.members)), holder=name
        )
        stop = asyncio.Event()
        self.members[name] = asyncio.create_task(shards.run(stop)), stop, shards

    async def _work(self, run: Run, shard: int) -> None:
        self.working[shard] += 1
        if self.working[shard] > 1 or run.fence < self.fences.get(shard, 0):
            self.doubled.append(shard)
        self.fences[shard] = run.fence
        try:
            while not run.stopping.is_set():
                self.last_tick[shard] = self.clock.monotonic()
                await self.clock.sleep(1)
        finally:
            self.working[shard] -= 1

    def kill(self, name: str) -> None:
        self.members.pop(name)[0].cancel()

    def leave(self, name: str) -> None:
        self.members[name][1].set()

    def late(self, seconds: float) -> list[int]:
        """Shards that nobody has worked on for so long."""
        return [s for s in range(SHARDS) if self.clock.monotonic() - self.last_tick.get(s, -1e9) > seconds]

    async def close(self) -> None:
        tasks = [task for task, _, _ in self.members.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unused(run: Run) -> None:
    raise AssertionError("each shard has its own")


@pytest.fixture
async def plant():
    plant = Plant(FakeClock())
    yield plant
    await plant.close()


async def test_each_shard_is_worked_on_by_exactly_one(plant: Plant) -> None:
    for name in "abc":
        plant.join(name)
    await plant.clock.advance(40)
    assert plant.late(2) == []
    assert sum(plant.working.values()) == SHARDS
    assert all(len(shards.mine) < SHARDS for _, _, shards in plant.members.values())
    assert plant.doubled == []


async def test_the_shards_of_one_that_died_are_taken_over_within_two_leases(plant: Plant) -> None:
    for name in "abc":
        plant.join(name)
    await plant.clock.advance(40)
    plant.kill("b")
    await plant.clock.advance(30)
    assert plant.late(2) == []
    assert plant.doubled == []


async def test_one_that_leaves_hands_over_at_once(plant: Plant) -> None:
    for name in "ab":
        plant.join(name)
    await plant.clock.advance(40)
    plant.leave("a")
    await plant.clock.advance(12)
    assert plant.late(2) == []
    assert plant.members["a"][0].done()


async def test_while_the_store_is_away_nobody_works_and_afterwards_all_do(plant: Plant) -> None:
    for name in "ab":
        plant.join(name)
    await plant.clock.advance(40)
    plant.store.away = True
    await plant.clock.advance(16)
    assert sum(plant.working.values()) == 0
    with pytest.raises(Exception, match="cache"):
        await plant.members["a"][2].check()
    plant.store.away = False
    await plant.clock.advance(20)
    assert plant.late(2) == []
    assert plant.doubled == []
    assert "of 6 shards" in await plant.members["a"][2].check()


@pytest.mark.parametrize("seed", range(6))
async def test_through_random_comings_and_goings(plant: Plant, seed: int) -> None:
    random, names = Random(seed), iter(f"m{n}" for n in range(1000))
    plant.join(next(names))
    for _ in range(12):
        alive = [name for name, (task, stop, _) in plant.members.items() if not task.done() and not stop.is_set()]
        match random.choice(["join", "kill", "leave", "outage", "wait"]):
            case "join" if len(alive) < 5:
                plant.join(next(names))
            case "kill" if len(alive) > 1:
                plant.kill(random.choice(alive))
            case "leave" if len(alive) > 1:
                plant.leave(random.choice(alive))
            case "outage":
                plant.store.away = True
                await plant.clock.advance(random.uniform(1, 30))
                plant.store.away = False
            case _:
                pass
        await plant.clock.advance(random.uniform(0, 20))
        assert max(plant.working.values(), default=0) <= 1
    await plant.clock.advance(60)
    assert plant.late(2) == []
    assert plant.doubled == []
