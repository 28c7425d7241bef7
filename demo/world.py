"""The state all simulated calls share: time, instances, faults, caches, locks, topics."""

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from demo.fleet import Fleet, Instance
from demo.kernel import Kernel, Pool, Process
from demo.rhythm import rhythm
from demo.telemetry import Pipeline, SeededIds

if TYPE_CHECKING:
    from demo.topics import Topic

Handler: TypeAlias = "Callable[..., Process[Mapping[str, Any]]]"

# The shop is sized for this many times its mean traffic; nearer to it, everything gets slower.
CAPACITY = 6.0
SPIKE = 5.0


class World:
    """`rate` is mean requests per second. `endpoints` maps (service, endpoint) to what answers."""

    def __init__(
        self, kernel: Kernel, pipeline: Pipeline, *, rate: float, seed: str, endpoints: Mapping[tuple[str, str], Handler]
    ) -> None:
        self.kernel = kernel
        self.rate = rate
        self.endpoints = endpoints
        self.faults: frozenset[str] = frozenset()
        self.expiries: dict[str, int] = {}  # cache key -> when it expires, unix nanoseconds
        self.topics: dict[str, Topic] = {}
        self.in_flight = 0
        self._seed = f"{seed}/{kernel.now_ns}"
        self._locks: dict[str, Pool] = {}
        self.fleet = Fleet(kernel, pipeline, SeededIds(self.random("ids")), self.random("fleet"), self.utilization)

    def random(self, name: str) -> Random:
        """A stream of its own for each name, so that one more draw here changes nothing there."""
        return Random(f"{self._seed}/{name}")

    def is_on(self, fault: str) -> bool:
        return fault in self.faults

    def intensity(self) -> float:
        """Traffic now, relative to the mean."""
        return rhythm(self.kernel.now_ns) * (SPIKE if self.is_on("traffic-spike") else 1.0)

    def utilization(self) -> float:
        """How busy the machines are, 0 to 0.85."""
        return min(0.85, self.intensity() / CAPACITY)

    def slowdown(self) -> float:
        """By how much queueing stretches computing time (M/M/1)."""
        return 1.0 / (1.0 - self.utilization())

    def lock(self, name: str) -> Pool:
        """A row lock in some database."""
        if name not in self._locks:
            self._locks[name] = Pool(1)
        return self._locks[name]

    def reachable(self, caller: Instance | None, callee: Instance, random: Random) -> bool:
        """Whether a connection gets through the network."""
        partitioned = self.is_on("network-partition-shipping") and callee.name == "shipping"
        return not (partitioned and caller is not None and random.random() < 0.8)
