"""Metrics as declarations: each name once in code, once in contracts/telemetry/metrics.yaml, and lint compares the two.

    class WriterMetrics(Metrics):
        rows = counter("airis_writer_rows_total", "Rows the store confirmed.", unit="rows", labels=("signal",))

    metrics = WriterMetrics(registry)      # the registry is passed in; two instances need two registries
    metrics.rows.labels(signal="traces").inc(1000)

Labels are bounded: route templates, error ids, signal names. Ids, tenants, paths and texts are never labels.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

T = TypeVar("T")

# From a cache hit to the query time cap; close enough around 100 ms to tell a good p95 from a bad one.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Declared(Generic[T]):
    """A declared metric: on the class the declaration, on an instance the instrument."""

    def __init__(self, build: Callable[[CollectorRegistry], T]) -> None:
        self._build = build
        self._attribute = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = f"_{name}_instrument"

    @overload
    def __get__(self, instance: None, owner: type) -> "Declared[T]": ...
    @overload
    def __get__(self, instance: "Metrics", owner: type) -> T: ...
    def __get__(self, instance: "Metrics | None", owner: type) -> "Declared[T] | T":
        if instance is None:
            return self
        instrument: T = instance.__dict__[self._attribute]
        return instrument

    def register(self, instance: "Metrics", registry: CollectorRegistry) -> None:
        instance.__dict__[self._attribute] = self._build(registry)


class Metrics:
    """Base of a group of declarations. Raises ValueError when the registry already has one of the names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that no dashboard of ours reads
        for owner in reversed(type(self).__mro__):
            for declared in vars(owner).values():
                if isinstance(declared, Declared):
                    declared.register(self, registry)


def counter(name: str, meaning: str, *, unit: str, labels: Sequence[str] = ()) -> Declared[Counter]:
    """A count that only grows. The name ends in `_total`. `unit` is what is counted, in the plural, or `seconds`/`bytes`."""
    _check_name(name, counter=True, unit=unit)
    return Declared(lambda registry: Counter(name, meaning, labels, registry=registry))


def gauge(name: str, meaning: str, *, unit: str, labels: Sequence[str] = ()) -> Declared[Gauge]:
    """A value that goes up and down."""
    _check_name(name, counter=False, unit=unit)
    return Declared(lambda registry: Gauge(name, meaning, labels, registry=registry))


def histogram(
    name: str, meaning: str, *, unit: str, labels: Sequence[str] = (), buckets: Sequence[float] = DURATION_BUCKETS
) -> Declared[Histogram]:
    """A distribution. `buckets` are upper bounds in `unit`."""
    _check_name(name, counter=False, unit=unit)
    return Declared(lambda registry: Histogram(name, meaning, labels, registry=registry, buckets=tuple(buckets)))


def _check_name(name: str, *, counter: bool, unit: str) -> None:
    stem = name.removesuffix("_total")
    if not name.startswith("airis_"):
        raise ValueError(f"{name}: our metric names start with airis_")
    if counter != name.endswith("_total"):
        raise ValueError(f"{name}: counters, and only counters, end in _total")
    if unit in {"seconds", "bytes"} and not stem.endswith(f"_{unit}"):
        raise ValueError(f"{name}: the name must end in its base unit, _{unit}")


def sample_value(registry: CollectorRegistry, name: str, **labels: Any) -> float:
    """The current value of one series; 0.0 when it has not been touched yet."""
    return registry.get_sample_value(name, {key: str(value) for key, value in labels.items()}) or 0.0
