"""Readiness asks each dependency by name, seldom and briefly."""

import asyncio

from libs.common.errors import StoreUnavailable
from libs.common.testing import FakeClock, recorded_logs
from libs.common.web.health import Readiness


async def _well() -> None:
    return None


async def _remark() -> str:
    return "3 of 3 partitions"


async def _away() -> None:
    raise StoreUnavailable("The store cannot be reached.")


async def _broken() -> None:
    raise RuntimeError("connect to 10.1.2.3 failed")


async def test_all_well_is_ready() -> None:
    readiness = Readiness(FakeClock())
    readiness.add("store", _well)
    readiness.add("bus", _remark)
    assert await readiness.report() == (
        True,
        {
            "status": "ready",
            "checks": {
                "store": {"ok": True, "required": True, "detail": ""},
                "bus": {"ok": True, "required": True, "detail": "3 of 3 partitions"},
            },
        },
    )


async def test_without_dependencies_a_process_is_ready() -> None:
    assert await Readiness(FakeClock()).report() == (True, {"status": "ready", "checks": {}})


async def test_a_required_dependency_that_is_away_takes_the_process_out() -> None:
    readiness = Readiness(FakeClock())
    readiness.add("store", _away)
    readiness.add("bus", _well)
    ready, report = await readiness.report()
    assert not ready
    assert report["status"] == "not_ready"
    assert report["checks"]["store"] == {"ok": False, "required": True, "detail": "The store cannot be reached."}
    assert report["checks"]["bus"]["ok"]


async def test_one_that_is_not_required_is_only_reported() -> None:
    readiness = Readiness(FakeClock())
    readiness.add("cache", _away, required=False)
    ready, report = await readiness.report()
    assert ready
    assert not report["checks"]["cache"]["ok"]


async def test_an_unexpected_failure_shows_its_type_and_logs_its_text() -> None:
    readiness = Readiness(FakeClock())
    readiness.add("store", _broken)
    with recorded_logs() as logs:
        _, report = await readiness.report()
    assert report["checks"]["store"]["detail"] == "RuntimeError"
    assert "10.1.2.3" in logs.text


async def test_a_check_that_hangs_is_not_ready_in_time() -> None:
    readiness = Readiness(FakeClock(), timeout=0.02)
    readiness.add("store", asyncio.Event().wait)
    _, report = await readiness.report()
    assert report["checks"]["store"]["detail"] == "no answer within 0.02 s"


async def test_the_answer_is_kept_for_a_second_and_shared() -> None:
    clock, asked = FakeClock(), 0

    async def counting() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    readiness = Readiness(clock)
    readiness.add("store", counting)
    await asyncio.gather(*(readiness.report() for _ in range(10)))
    clock.move(0.99)
    await readiness.report()
    assert asked == 1
    clock.move(0.01)
    await readiness.report()
    assert asked == 2
