"""Log pages: no record lost or given twice, however many share a time, a bus record, or everything."""

import json
import random
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from services.analytics.log_search import LEVELS
from services.analytics.schemas import LogHistogram, LogList
from services.analytics.settings import AnalyticsSettings
from tests.integration.services.analytics.conftest import NOW, Analytics

SECOND = 10**9
HOUR = 3600 * SECOND
RANGE = {"from_": str(NOW - HOUR), "to": str(NOW)}


def request_of(records: list[tuple[int, str, int]]) -> ExportLogsServiceRequest:
    """Records of (time, body, severity number)."""
    request = ExportLogsServiceRequest()
    scoped = request.resource_logs.add().scope_logs.add()
    for time, body, severity in records:
        record = scoped.log_records.add(time_unix_nano=time, severity_number=severity)
        record.body.string_value = body
    return request


async def all_pages(analytics: Analytics, limit: int, **parameters: Any) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    cursor = None
    while True:
        answer = await analytics.ask("/api/v1/logs", limit=limit, cursor=cursor, **parameters)
        LogList.model_validate(answer)
        pages.append(answer["logs"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return pages


_TIMES = st.sampled_from([NOW - 1, NOW - 2, NOW - 61 * SECOND, NOW - 60 * SECOND, NOW - 300 * SECOND, NOW - HOUR])
_BATCH = st.lists(st.tuples(_TIMES, st.sampled_from(["a", "a", "b", "한국"]), st.just(9)), min_size=1, max_size=25)


@pytest.mark.timeout(600)
@given(batches=st.lists(st.tuples(_BATCH, st.integers(0, 2)), min_size=1, max_size=4), limit=st.integers(1, 6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_record_once_and_newest_first(analytics: Analytics, batches: list[Any], limit: int) -> None:
    tenant = uuid.uuid4().hex
    for offset, (records, partition) in enumerate(batches):
        await analytics.store(request_of(records), tenant=tenant, partition=partition, first_offset=offset)
    pages = await all_pages(analytics, limit, tenant=tenant, **RANGE)
    assert all(len(page) == limit for page in pages[:-1])
    found = [(int(record["time_unix_nano"]), record["body"]) for page in pages for record in page]
    assert Counter(found) == Counter((time, body) for records, _ in batches for time, body, _ in records)
    times = [time for time, _ in found]
    assert times == sorted(times, reverse=True)


async def test_records_equal_in_everything_are_counted(analytics: Analytics) -> None:
    await analytics.store(request_of([(NOW - 5, "same", 9)] * 23 + [(NOW - 5, "other", 9), (NOW - 6, "older", 9)]))
    pages = await all_pages(analytics, 5, **RANGE)
    assert [len(page) for page in pages] == [5, 5, 5, 5, 5]
    assert Counter(record["body"] for page in pages for record in page) == {"same": 23, "other": 1, "older": 1}
    assert pages[-1][-1]["body"] == "older"


async def test_a_page_that_ends_exactly_with_the_data_has_no_next(analytics: Analytics) -> None:
    await analytics.store(request_of([(NOW - index, str(index), 9) for index in range(1, 7)]))
    pages = await all_pages(analytics, 3, **RANGE)
    assert [[record["body"] for record in page] for page in pages] == [["1", "2", "3"], ["4", "5", "6"]]


async def test_a_cursor_holds_while_data_arrives(analytics: Analytics) -> None:
    await analytics.store(request_of([(NOW - 10, str(index), 9) for index in range(20)]))
    first = await analytics.ask("/api/v1/logs", limit=8, **RANGE)
    await analytics.store(request_of([(NOW - 3, "newer", 9)]), first_offset=7)
    second = await analytics.ask("/api/v1/logs", limit=100, cursor=first["next_cursor"], **RANGE)
    bodies = [record["body"] for record in first["logs"] + second["logs"]]
    assert sorted(bodies, key=int) == [str(index) for index in range(20)]


async def test_a_thousand_records_spread_over_the_whole_range(analytics: Analytics) -> None:
    chance = random.Random(3)
    times = [NOW - chance.randrange(1, 30 * 24 * HOUR) for _ in range(1500)]
    await analytics.store(request_of([(time, str(index), 9) for index, time in enumerate(times)]))
    pages = await all_pages(analytics, 1000, from_=str(NOW - 30 * 24 * HOUR), to=str(NOW))
    assert [len(page) for page in pages] == [1000, 500]
    order = sorted(range(1500), key=lambda index: times[index], reverse=True)
    assert [int(record["body"]) for page in pages for record in page] == order


@pytest.mark.parametrize("analytics_settings", [AnalyticsSettings(search_budget_seconds=4)])
async def test_a_search_out_of_time_goes_on_from_its_cursor(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [NOW - minutes * 60 * SECOND - 1 for minutes in range(0, 600, 7)]
    await analytics.store(request_of([(time, str(time), 9) for time in times]))
    ticks = iter(range(100_000))
    monkeypatch.setattr(analytics.clock, "monotonic", lambda: float(next(ticks)))
    pages = await all_pages(analytics, 1000, from_=str(NOW - 11 * HOUR), to=str(NOW))
    assert [int(record["body"]) for page in pages for record in page] == times
    assert len(pages) > 2


async def test_the_histogram_counts_by_level(analytics: Analytics) -> None:
    chance = random.Random(11)
    records = [(NOW - chance.randrange(1, 2 * HOUR), "x", chance.randrange(0, 27)) for _ in range(300)]
    await analytics.store(request_of(records))
    start, end = NOW - HOUR - 77, NOW - 3 * SECOND
    answer = await analytics.ask("/api/v1/logs/histogram", query="severity!=5", from_=str(start), to=str(end))
    LogHistogram.model_validate(answer)
    step = answer["step_seconds"] * SECOND
    owed = {level: [0] * len(answer["time_unix_nano"]) for level in LEVELS}
    for time, _, number in records:
        if start <= time < end and number != 5:
            level = LEVELS[(number + 3) // 4] if 1 <= number <= 24 else "UNSET"
            owed[level][(time - int(answer["time_unix_nano"][0])) // step] += 1
    assert answer["series"] == owed
    assert answer["time_unix_nano"] == [str(time) for time in range(start // step * step, end, step)]


async def test_words_are_found_in_texts_and_in_structured_bodies(analytics: Analytics) -> None:
    request = request_of([(NOW - 1, "결제 TIMEOUT 실패", 17), (NOW - 2, "fine", 9)])
    structured = request.resource_logs[0].scope_logs[0].log_records.add(time_unix_nano=NOW - 3)
    structured.body.kvlist_value.values.add(key="msg").value.string_value = "Upstream timeout 결제"
    request.resource_logs[0].scope_logs[0].log_records.add(time_unix_nano=NOW - 4)
    await analytics.store(request)

    async def bodies(query: str) -> list[str]:
        answer = await analytics.ask("/api/v1/logs", query=query, **RANGE)
        return [json.dumps(record["body"], ensure_ascii=False) for record in answer["logs"]]

    assert await bodies("timeout") == ['"결제 TIMEOUT 실패"', '{"msg": "Upstream timeout 결제"}']
    assert await bodies("결제 severity>=error") == ['"결제 TIMEOUT 실패"']
    assert await bodies('NOT "timeout"') == ['"fine"', "null"]
    assert await bodies("exists body body!~fine") == ['"결제 TIMEOUT 실패"', '{"msg": "Upstream timeout 결제"}']
