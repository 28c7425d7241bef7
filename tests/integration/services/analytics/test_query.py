"""Structured queries over HTTP: both forms, what an answer says of itself, errors, caps, and that all ends when the caller leaves."""

import asyncio
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.analytics.schemas import QueryAnswer
from services.analytics.settings import AnalyticsSettings
from tests.integration.services.analytics.conftest import NOW, Analytics

SECOND = 10**9
PERIOD = {"from": str(NOW - 600 * SECOND), "to": str(NOW)}


def _spans(count: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = resource.scope_spans.add()
    for index in range(count):
        span = scope.spans.add(
            trace_id=(index // 2 + 1).to_bytes(16, "big"),
            span_id=(index + 1).to_bytes(8, "big"),
            parent_span_id=index.to_bytes(8, "big") if index % 2 else b"",
            name=f"op {index % 3}",
            start_time_unix_nano=NOW - (index + 1) * SECOND,
            end_time_unix_nano=NOW - (index + 1) * SECOND + (index + 1) * 10**6,
        )
        span.status.code = 2 if index % 5 == 0 else 0
        span.attributes.add(key="route").value.string_value = f"/{index % 4}"
    return request


async def _ask(analytics: Analytics, text: str, **more: str) -> Any:
    return await analytics.ask("/api/v1/query", q=text, **{"from_": PERIOD["from"], "to": PERIOD["to"], **more})


async def _post(analytics: Analytics, body: Any, tenant: str = "t1") -> Any:
    return await analytics.client.post("/api/v1/query", json=body, headers=analytics.headers(tenant))


async def test_text_and_json_get_the_same_answer(analytics: Analytics) -> None:
    await analytics.store(_spans(20))
    text = "service:shop | count(), p95(duration) by route | having count() >= 5 | order route asc | series 60s | compare previous"
    answer = await _ask(analytics, text)
    QueryAnswer.model_validate(answer)
    assert answer["columns"] == [
        {"name": "route", "kind": "group", "unit": None},
        {"name": "count()", "kind": "aggregate", "unit": "{spans}"},
        {"name": "p95(duration)", "kind": "aggregate", "unit": "ns"},
    ]
    assert [row[:2] for row in answer["rows"]] == [["/0", 5], ["/1", 5], ["/2", 5], ["/3", 5]]
    assert answer["series"]["step_seconds"] == 60
    assert [sum(filter(None, row[0])) for row in answer["series"]["values"]] == [5, 5, 5, 5]
    assert answer["comparison"]["values"] == [[None, None]] * 4
    assert answer["read"]["rows"] >= 20
    assert answer["read"]["bytes"] > 0
    assert (answer["partial"], answer["partial_reasons"]) == (False, [])
    form = {
        "signal": "spans",
        "where": "service=shop",
        "aggregates": [{"function": "count"}, {"function": "p95", "field": "duration"}],
        "group_by": ["route"],
        "having": [{"aggregate": {"function": "count"}, "operator": ">=", "value": "5"}],
        "order": [{"field": "route", "descending": False}],
        "series": {"step_seconds": 60},
        "compare": {"to": "previous"},
    }
    for query in (form, text, answer["query"]):
        response = await _post(analytics, {"query": query, **PERIOD})
        assert response.status_code == 200, response.text
        assert response.json() == answer
    assert (await _post(analytics, {"query": text, **PERIOD}, tenant="t2")).json()["rows"] == []


async def test_what_a_limit_leaves_out_is_said(analytics: Analytics) -> None:
    await analytics.store(_spans(20))
    answer = await _ask(analytics, "| count() by route | top 3")
    assert (answer["row_count"], answer["partial"]) == (3, True)
    assert "3" in answer["partial_reasons"][0]
    listed = await _ask(analytics, "status=error | limit 2")
    QueryAnswer.model_validate(listed)
    assert (listed["row_count"], listed["partial"]) == (2, True)
    times = [int(row[0]) for row in listed["rows"]]
    assert times == sorted(times, reverse=True)
    traces = await _ask(analytics, "from traces {status=error} > {status!=error}")
    QueryAnswer.model_validate(traces)
    assert [row[1] for row in traces["rows"]] == [number.to_bytes(16, "big").hex() for number in (1, 6)]


async def test_a_search_for_traces_may_speak_of_structure(analytics: Analytics) -> None:
    await analytics.store(_spans(20))
    asked = {"query": "{status=error} > {status!=error}", "from_": PERIOD["from"], "to": PERIOD["to"]}
    found = await analytics.ask("/api/v1/traces", **asked)
    assert [entry["trace_id"][-1] for entry in found["traces"]] == ["1", "6"]
    assert [entry["matched_spans"] for entry in found["traces"]] == [2, 2]
    first = await analytics.ask("/api/v1/traces", **asked, limit=1)
    second = await analytics.ask("/api/v1/traces", **asked, limit=1, cursor=first["next_cursor"])
    assert [*first["traces"], *second["traces"]] == found["traces"]
    assert second["next_cursor"] is None
    heat = await analytics.ask("/api/v1/traces/durations", **{**asked, "query": "trace.span_count=2 root.service=shop"})
    assert sum(map(sum, heat["counts"])) == 20
    assert sum(map(sum, (await analytics.ask("/api/v1/traces/durations", **asked))["counts"])) == 4


async def test_a_trace_is_found_by_its_id_as_other_tools_write_it(analytics: Analytics) -> None:
    await analytics.store(_spans(40))
    for text in ("11", "0x11", "0000000000000011", "00000000-0000-0000-0000-000000000011"):
        assert len((await analytics.ask(f"/api/v1/traces/{text}"))["spans"]) == 2
        found = await _ask(analytics, f"trace_id={text} | count()")
        assert found["rows"] == [[2]]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("status=nonsense | count()", 7),
        ("| avg(service)", 6),
        ("| count() by event.name", 13),
        ("from metrics | error_rate()", 15),
        ("from traces | p95(duration)", 18),
        ("| count() by a | having p95(duration) > 5", 40),
        ("| count() | series 1s", 0),
    ],
)
async def test_errors_point_at_the_column(analytics: Analytics, text: str, position: int) -> None:
    period = {"from_": str(NOW - 30 * 86400 * SECOND), "to": str(NOW)}
    response = await analytics.get("/api/v1/query", q=text, **period)
    problem = response.json()
    assert (response.status_code, problem["type"]) == (400, "urn:airis:error:invalid-query")
    assert (problem["position"], bool(problem["expected"])) == (position, True)


@pytest.mark.parametrize("body", [{}, {"query": {"signal": "sessions"}}, {"query": "a=b", "limit": 5}, [], "a=b"])
async def test_what_is_no_query_is_said(analytics: Analytics, body: Any) -> None:
    response = await _post(analytics, body)
    assert (response.status_code, response.json()["type"]) == (400, "urn:airis:error:invalid-request")


class TestCaps:
    @pytest.fixture
    def analytics_settings(self) -> AnalyticsSettings:
        return AnalyticsSettings(query_timeout_seconds=0.5)

    async def test_a_question_that_takes_too_long_is_ended(self, analytics: Analytics) -> None:
        await _fill(analytics)
        response = await analytics.get("/api/v1/query", q=SLOW, from_=PERIOD["from"], to=PERIOD["to"])
        assert response.status_code in {422, 504}
        assert response.json()["type"] in {"urn:airis:error:query-timeout", "urn:airis:error:query-too-expensive"}


# Sixty expressions over every body: minutes of work, in a statement that would answer one row.
SLOW = "from logs " + " OR ".join(
    f'body=~"[a-f]{{3}}[0-9]+[{letter}-z]+.{{{number}}}$"' for number in range(1, 7) for letter in "abcdefghij"
)
SLOW += " | count()"


async def _fill(analytics: Analytics) -> None:
    await analytics.clickhouse.command(
        "INSERT INTO logs (tenant, time, service, body, body_other) SELECT 't1', fromUnixTimestamp64Nano(toInt64("
        f"{NOW - SECOND})), 'shop', repeat(hex(sipHash128(number)), 10), 's' FROM numbers(200000)",
        timeout=120,
    )


@pytest.mark.timeout(240)
async def test_the_engine_stops_when_the_caller_leaves(analytics: Analytics) -> None:
    await _fill(analytics)
    gone = asyncio.Event()
    sent: list[Any] = []
    body = [{"type": "http.request", "body": json.dumps({"query": SLOW, **PERIOD}).encode(), "more_body": False}]

    async def receive() -> Any:
        if body:
            return body.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {**analytics.headers("t1"), "Content-Type": "application/json"}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/api/v1/query", "raw_path": b"/api/v1/query", "query_string": b"", "client": ("127.0.0.1", 1),
        "server": ("analytics", 80), "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asked = asyncio.create_task(analytics.client._transport.app(scope, receive, send))  # type: ignore[attr-defined]
    await _until(analytics, 1)
    gone.set()
    await asked
    await _until(analytics, 0)
    assert not [message for message in sent if message["type"] == "http.response.start" and message["status"] == 200]


async def _until(analytics: Analytics, running: int) -> None:
    async with asyncio.timeout(60):
        while True:
            rows = await analytics.clickhouse.query(
                "SELECT count() AS running FROM system.processes WHERE query LIKE '%value_0%' AND query NOT LIKE '%processes%' "
                "AND current_database = currentDatabase()"
            )
            if rows[0]["running"] == running:
                return
            await asyncio.sleep(0.05)
