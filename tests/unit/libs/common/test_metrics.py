"""Metric declarations."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from libs.common.metrics import Metrics, counter, gauge, histogram, sample_value


class Base(Metrics):
    rows = counter("airis_test_rows_total", "Rows.", unit="rows", labels=("signal",))


class Derived(Base):
    lag = gauge("airis_test_lag_records", "Lag.", unit="records")
    seconds = histogram("airis_test_duration_seconds", "Time.", unit="seconds", buckets=(1, 2))


def test_declared_metrics_count_in_the_registry_they_were_given() -> None:
    registry = CollectorRegistry()
    metrics = Derived(registry)
    metrics.rows.labels(signal="logs").inc(2)
    metrics.lag.set(7)
    metrics.seconds.observe(1.5)
    assert sample_value(registry, "airis_test_rows_total", signal="logs") == 2
    assert sample_value(registry, "airis_test_rows_total", signal="traces") == 0
    assert sample_value(registry, "airis_test_lag_records") == 7
    assert sample_value(registry, "airis_test_duration_seconds_bucket", le="2.0") == 1
    assert b"_created" not in generate_latest(registry)


def test_two_registries_do_not_share() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Base(first).rows.labels(signal="logs").inc()
    Base(second)
    assert sample_value(second, "airis_test_rows_total", signal="logs") == 0


def test_one_registry_takes_a_name_once() -> None:
    registry = CollectorRegistry()
    Base(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Base(registry)


@pytest.mark.parametrize(
    ("declare", "name", "unit"),
    [
        (counter, "test_rows_total", "rows"),
        (counter, "airis_test_rows", "rows"),
        (gauge, "airis_test_rows_total", "rows"),
        (histogram, "airis_test_duration", "seconds"),
        (counter, "airis_test_size_total", "bytes"),
    ],
)
def test_names_that_break_the_conventions_are_refused(declare, name: str, unit: str) -> None:
    with pytest.raises(ValueError, match=name):
        declare(name, "Meaning.", unit=unit)
