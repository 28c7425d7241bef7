"""Rhythm, coverage of windows, and the budget."""

import pytest

from libs.common.pipeline.pacing import Coverage, Pace, WindowTooSmall
from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory
from libs.common.settings import BusSettings, ClickHouseSettings, InvalidSettings

SETTINGS = PipelineSettings()
STALL = 396.0


def test_the_first_record_after_a_pause_goes_at_once_and_the_next_ones_wait_for_each_other() -> None:
    pace = Pace(SETTINGS)
    assert pace.due(100.0) == pytest.approx(100.1)
    pace.began(100.1)
    pace.took(0.08)
    assert pace.due(100.2) == pytest.approx(100.9), "ten times as long as it took"
    assert pace.due(105.0) == pytest.approx(105.1), "after a pause at once again"


def test_no_record_waits_longer_than_freshness_allows() -> None:
    pace = Pace(SETTINGS)
    pace.began(100.0)
    pace.took(30.0)
    assert pace.due(100.0) == pytest.approx(101.2)
    pace.began(200.0)  # another partition's, again and again
    assert pace.due(199.5) == pytest.approx(200.7)


@pytest.mark.parametrize("partitions", [1, 4, 24])
def test_the_window_outlives_a_stall_at_the_fastest_rate(partitions: int) -> None:
    """Two tokens an insert, all partitions as fast as they may: those of a whole stall fit into the window."""
    covered = Coverage.of(Memory(atomic=False, tokens=10_000), partitions, STALL)
    assert 2 * partitions * STALL / covered.rest <= 10_000 * (1 + 1e-9)
    assert covered.remembers(0.85 * STALL)
    assert not covered.remembers(STALL)


def test_a_window_that_is_too_small_is_named_with_the_value_it_needs() -> None:
    small = Memory(atomic=False, tokens=100, setting="spans.non_replicated_deduplication_window")
    with pytest.raises(
        WindowTooSmall, match=r"spans\.non_replicated_deduplication_window is 100; 4 partitions need 1585"
    ) as e:
        Coverage.of(small, 4, STALL)
    assert "MODIFY SETTING" in str(e.value)
    Coverage.of(Memory(atomic=False, tokens=1585), 4, STALL)
    with pytest.raises(WindowTooSmall, match="0; "):
        Coverage.of(Memory(atomic=False, tokens=0), 4, STALL)
    with pytest.raises(WindowTooSmall, match="replicated_deduplication_window_seconds is 300"):
        Coverage.of(Memory(atomic=True, tokens=10_000, seconds=300), 4, STALL)


def test_defaults_cover_what_is_shipped() -> None:
    """24 partitions on Kafka, the windows of the schema, and replicated tables as the engine makes them."""
    bus, store = BusSettings(), ClickHouseSettings()
    stall = bus.session_timeout_seconds + bus.max_poll_interval_seconds + 1.5 * store.insert_timeout_seconds
    assert Coverage.of(Memory(atomic=False, tokens=10_000), 24, stall).rest <= 2
    assert Coverage.of(Memory(atomic=True, tokens=10_000, seconds=3600), 24, stall).seconds == stall


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="memory_bytes must be at least"):
        PipelineSettings(memory_bytes=64 * 1024**2)
    with pytest.raises(InvalidSettings, match="linger_least_seconds"):
        PipelineSettings(linger_least_seconds=2, linger_seconds=1)
