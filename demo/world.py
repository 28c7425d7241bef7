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
WAREHOUSES = ("incheon", "rotterdam", "reno")


class World:
    """`rate` is mean requests per second. `endpoints` maps (service, endpoint) to what answers."""

    def __init__(
        self,
        kernel: Kernel,
        pipeline: Pipeline,
        *,
        rate: float,
        seed: str,
        endpoints: Mapping[tuple[str, str], Handler],
    ) -> None:
        self.kernel = kernel
        self.rate = rate
        self.endpoints = endpoints
        self.faults: frozenset[str] = frozenset()
        self.expiries: dict[str, int] = {}  # cache key -> when it expires, unix nanoseconds
        self.topics: dict[str, Topic] = {}
        self.carts: dict[str, list[str]] = {}  # session id -> product ids
        self.stock = dict.fromkeys(WAREHOUSES, 4_000)
        self.sessions = 0
        self._seed = f"{seed}/{kernel.now_ns}"
        self._locks: dict[str, Pool] = {}
        self.fleet = Fleet(
            kernel, pipeline, SeededIds(self.random("ids")), self.random("fleet"), self.utilization, self._observe
        )

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

    def _observe(self, instance: Instance) -> None:
        """What an instance reports about the world beyond itself."""
        instance.telemetry.observe("shop.consumer.lag", lambda: self._lags(instance))
        if instance.name == "storefront":
            instance.telemetry.observe("shop.sessions.active", lambda: self._sessions(instance))

    def _lags(self, instance: Instance) -> list[tuple[float, Mapping[str, Any]]]:
        instances = self.fleet.instances[instance.name]
        return [
            (
                lag,
                {
                    "messaging.destination.name": topic.name,
                    "messaging.destination.partition.id": str(partition),
                    "messaging.consumer.group.name": group,
                },
            )
            for topic in self.topics.values()
            for (group, partition), lag in topic.lags().items()
            if group == instance.name and instances[partition % len(instances)] is instance
        ]

    def _sessions(self, instance: Instance) -> list[tuple[float, Mapping[str, Any]]]:
        # One replica counts for all; else the sum over replicas would be wrong.
        return [(self.sessions, {})] if self.fleet.instances["storefront"][0] is instance else []
