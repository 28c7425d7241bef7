"""The whole shop on a virtual clock. `advance` it and it emits what happened meanwhile."""

from collections.abc import Iterable, Mapping

from opentelemetry.sdk.metrics.export import MetricsData

from demo import faults
from demo.jobs import DRILLS, periodic
from demo.kernel import Kernel, Process
from demo.shop import browsing, fulfilment, ordering, storefront
from demo.telemetry import Pipeline
from demo.topics import PARTITIONS, Topic, consume
from demo.traffic import Traffic
from demo.world import Handler, World

ENDPOINTS: Mapping[tuple[str, str], Handler] = {
    **{("storefront", endpoint): handler for endpoint, handler in storefront.ENDPOINTS.items()},
    **browsing.ENDPOINTS,
    **ordering.ENDPOINTS,
    **fulfilment.ENDPOINTS,
}


class Simulation:
    """A shop that opens at `start_ns` (unix nanoseconds). Same seed, start and faults: same telemetry."""

    def __init__(self, pipeline: Pipeline, *, start_ns: int, rate: float, seed: str) -> None:
        self._kernel = Kernel(start_ns)
        self._world = World(self._kernel, pipeline, rate=rate, seed=seed, endpoints=ENDPOINTS)
        self._traffic = Traffic(self._world)
        self._drilling: set[str] = set()
        self._open_topics()
        for process in (self._traffic.arrivals(), *periodic(self._world)):
            self._kernel.start(process)

    @property
    def now_ns(self) -> int:
        return self._kernel.now_ns

    def advance(self, time_ns: int) -> None:
        """Let the shop run up to this time."""
        self._kernel.run_until(time_ns)

    def shift(self, seconds: float) -> None:
        """Let this much time pass in which nothing happened, as when the machine was asleep."""
        self._kernel.shift(seconds)

    def set_faults(self, names: Iterable[str]) -> None:
        """These faults are on from now on, all others off. Raises UnknownFault."""
        self._world.faults = frozenset(faults.find(name).name for name in names)
        for name in self._world.faults & DRILLS.keys() - self._drilling:
            self._drilling.add(name)
            self._kernel.start(self._drill(name))

    def collect(self) -> MetricsData:
        """All metrics as of now."""
        return MetricsData(resource_metrics=self._world.fleet.collect())

    def stop_arrivals(self) -> None:
        """Let no new request in; those in progress go on."""
        self._traffic.open = False

    def close(self) -> None:
        """End what is in progress here and now, so that every span that began has ended."""
        self._kernel.close()
        self._world.fleet.close()

    def _drill(self, name: str) -> Process[None]:
        while self._world.is_on(name):  # again, when it was switched on while the last drill was being cleaned up
            yield from DRILLS[name](self._world)
        self._drilling.discard(name)

    def _open_topics(self) -> None:
        for (name, group), handle in fulfilment.CONSUMERS.items():
            topic = self._world.topics.setdefault(name, Topic(name))
            topic.subscribe(group)
            for partition in range(PARTITIONS):
                self._kernel.start(consume(self._world, topic, group, partition, handle))
