"""What callers get wrong, and what they are told."""

from typing import Any

import pytest

from tests.integration.services.analytics.conftest import NOW, Analytics

HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    ("path", "parameters", "problem", "said"),
    [
        ("/api/v1/traces", {"from": "yesterday"}, "invalid-request", "RFC 3339"),
        ("/api/v1/traces", {"from": "1700000000"}, "invalid-request", "before 1973"),
        ("/api/v1/traces", {"to": "2026-13-01T00:00:00Z"}, "invalid-request", "calendar"),
        ("/api/v1/traces", {"to": "2026-01-01T00:00:00"}, "invalid-request", "offset"),
        ("/api/v1/traces", {"to": "2300-01-01T00:00:00Z"}, "invalid-request", "2262"),
        ("/api/v1/traces", {"from": str(NOW), "to": str(NOW)}, "invalid-time-range", "before 'to'"),
        ("/api/v1/services", {"from": str(NOW + 2), "to": str(NOW + 1)}, "invalid-time-range", "before 'to'"),
        ("/api/v1/logs", {"from": str(NOW + HOUR)}, "invalid-time-range", "before now"),
        ("/api/v1/metrics", {"from": str(NOW - 33 * 24 * HOUR), "to": str(NOW)}, "invalid-time-range", "32 days"),
        ("/api/v1/traces", {"query": "duration>5"}, "invalid-query", "duration"),
        ("/api/v1/traces", {"query": "a=b)"}, "invalid-query", "')'"),
        ("/api/v1/traces/durations", {"query": 'a=~"("'}, "invalid-query", "regular expression"),
        ("/api/v1/logs", {"query": "severity=loud"}, "invalid-query", "severity"),
        ("/api/v1/logs/histogram", {"query": "(" * 40}, "invalid-query", "nested"),
        ("/api/v1/metrics/m", {"query": "word"}, "invalid-query", "no text to search"),
        ("/api/v1/attributes", {"signal": "traces", "key": "a b"}, "invalid-query", "one word"),
        ("/api/v1/attributes", {"signal": "profiles"}, "invalid-request", "signal"),
        ("/api/v1/attributes", {}, "invalid-request", "signal"),
        ("/api/v1/traces", {"limit": "0"}, "invalid-request", "limit"),
        ("/api/v1/traces", {"limit": "201"}, "invalid-request", "limit"),
        ("/api/v1/logs", {"limit": "1001"}, "invalid-request", "limit"),
        ("/api/v1/logs", {"limit": "ten"}, "invalid-request", "limit"),
        ("/api/v1/traces", {"cursor": "nonsense"}, "invalid-cursor", "Leave it out"),
        ("/api/v1/logs", {"cursor": "WyJ0IiwxLCIiXQ"}, "invalid-cursor", "Leave it out"),
        ("/api/v1/traces/xyz", {}, "invalid-request", "trace_id"),
        ("/api/v1/traces/" + "a" * 33, {}, "invalid-request", "trace_id"),
    ],
)
async def test_problems_say_what_to_do(
    analytics: Analytics, path: str, parameters: dict[str, Any], problem: str, said: str
) -> None:
    response = await analytics.client.get(path, params=parameters, headers=analytics.headers("t1"))
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == f"urn:airis:error:{problem}"
    assert said in document["detail"]
    if problem == "invalid-query":
        assert isinstance(document["position"], int)
        assert document["expected"]


async def test_unknown_paths_and_methods(analytics: Analytics) -> None:
    missing = await analytics.get("/api/v1/nowhere")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:airis:error:not-found")
    wrong = await analytics.client.post("/api/v1/traces", headers=analytics.headers("t1"))
    assert (wrong.status_code, wrong.json()["type"]) == (405, "urn:airis:error:method-not-allowed")


@pytest.mark.parametrize(
    "written",
    [
        ("2023-11-14T22:13:20Z", "2023-11-14T22:14:00Z"),
        ("2023-11-15t07:13:20.000000000+09:00", "2023-11-14 17:14:00-05:00"),
        ("1700000000000000000", "1700000040000000000"),
    ],
)
async def test_times_are_read_in_either_form(analytics: Analytics, written: tuple[str, str]) -> None:
    answer = await analytics.ask("/api/v1/logs/histogram", from_=written[0], to=written[1])
    assert answer["time_unix_nano"][0] == "1700000000000000000"
    assert len(answer["time_unix_nano"]) == 40


async def test_an_offset_whose_plus_was_not_encoded(analytics: Analytics) -> None:
    query = b"from=2023-11-15T07:13:20+09:00&to=2023-11-15T07:14:00+09:00"
    response = await analytics.client.get(
        "http://analytics/api/v1/logs/histogram?" + query.decode(), headers=analytics.headers("t1")
    )
    assert response.json()["time_unix_nano"][0] == "1700000000000000000"


async def test_ready_names_its_dependencies(analytics: Analytics) -> None:
    report = (await analytics.client.get("/readyz")).json()
    assert report["status"] == "ready"
    assert report["checks"]["clickhouse"]["ok"] is report["checks"]["redis"]["ok"] is True
    assert report["checks"]["redis"]["required"] is False


@pytest.mark.parametrize(
    "query",
    [
        "a='; DROP TABLE spans --",
        'a="\\\\"',
        "a=\\n",
        'a="\\"); SELECT 1"',
        "{tenant:String}",
        'a="{q0:String}"',
        "%s %(a)s",
        "a=~\\\\",
        'name="\t\n\r\x0b"',
        "\U0001f600 OR é",
    ],
)
async def test_texts_that_look_like_sql_are_texts(analytics: Analytics, query: str) -> None:
    for path in ("/api/v1/traces", "/api/v1/logs"):
        response = await analytics.get(path, query=query)
        assert response.status_code in {200, 400}, response.text
        if response.status_code == 400:
            assert response.json()["type"] == "urn:airis:error:invalid-query"
