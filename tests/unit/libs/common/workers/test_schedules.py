from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from libs.common.workers import Cron, Every, InvalidSchedule, LastRun, Once

S = 1_000_000_000
NOW = 1_700_000_000 * S


def at(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * S


def done(slot_ns: int) -> LastRun:
    return LastRun(slot_ns, done=True)


def test_every_counts_from_the_slot_before() -> None:
    every = Every(60)
    assert every.slot(None, NOW) == NOW
    assert every.slot(done(NOW - 20 * S), NOW) == NOW + 40 * S


def test_every_makes_up_for_all_it_missed_with_one_run() -> None:
    assert Every(60).slot(done(NOW - 1000 * S), NOW) == NOW


def test_a_clock_set_back_stops_nothing() -> None:
    assert Every(60).slot(done(NOW + 9999 * S), NOW) == NOW + 60 * S
    assert Cron("* * * * *").slot(done(at("2024-06-01T12:00")), at("2024-05-01T12:00")) == at("2024-05-01T12:01")


def test_cron_begins_with_the_next_slot() -> None:
    assert Cron("30 4 * * *").slot(None, at("2024-05-01T12:00")) == at("2024-05-02T04:30")


def test_cron_in_a_time_zone() -> None:
    slot = Cron("0 9 * * mon-fri", "Asia/Seoul").slot(None, at("2024-05-03T18:00", "Asia/Seoul"))
    assert slot == at("2024-05-06T09:00", "Asia/Seoul") == at("2024-05-06T00:00")


def test_cron_makes_up_for_what_it_missed_with_the_latest_slot() -> None:
    cron = Cron("0 * * * *")
    assert cron.slot(done(at("2024-05-01T08:00")), at("2024-05-01T12:20")) == at("2024-05-01T12:00")
    assert cron.slot(done(at("2024-05-01T12:00")), at("2024-05-01T12:20")) == at("2024-05-01T13:00")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-03-31", ["2024-03-31T03:00+02:00"]),  # 02:30 does not exist: once, right after the gap
        ("2024-10-27", ["2024-10-27T02:30+02:00"]),  # 02:30 comes twice: once
    ],
)
def test_a_clock_change_neither_drops_nor_doubles_a_daily_job(day: str, expected: list[str]) -> None:
    cron, now = Cron("30 2 * * *", "Europe/Berlin"), at(f"{day}T00:00", "Europe/Berlin")
    slots, last = [], None
    while (slot := cron.slot(last, now)) is not None and slot < at(f"{day}T23:00", "Europe/Berlin"):
        slots.append(slot)
        now, last = slot, done(slot)
    assert slots == [round(datetime.fromisoformat(text).timestamp()) * S for text in expected]


def test_hourly_jobs_go_through_the_repeated_hour() -> None:
    cron, now, slots = Cron("*/30 * * * *", "Europe/Berlin"), at("2024-10-27T00:00"), []
    for _ in range(6):
        slot = cron.slot(done(now), now)
        assert slot is not None
        slots.append((slot - now) // S)
        now = slot
    assert slots == [1800] * 6
    assert datetime.fromtimestamp(now / S, UTC).hour == 3


def test_once() -> None:
    once = Once(retry_seconds=300)
    assert once.slot(None, NOW) == NOW
    assert once.slot(done(NOW - S), NOW) is None
    assert once.slot(LastRun(NOW - S, done=False), NOW) == NOW + 299 * S


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Every(0),
        lambda: Every(1, jitter=2),
        lambda: Cron("every day"),
        lambda: Cron("61 * * * *"),
        lambda: Cron("0 0 30 2 *"),  # a day that never comes
        lambda: Cron("0 0 * * *", "Asia/Soul"),
        lambda: Cron("0 0 * * *", "../etc/passwd"),
    ],
)
def test_a_wrong_schedule_says_so_at_once(wrong) -> None:
    with pytest.raises(InvalidSchedule):
        wrong()
