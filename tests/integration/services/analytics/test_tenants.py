"""A tenant sees its own data and nothing else, whatever it asks and however it tries to say who it is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common.auth.identity import IDENTITY_HEADER
from libs.common.clickhouse import load_statements
from services.analytics.app import create_app
from services.analytics.cursors import LogCursor, PointCursor, TraceCursor
from services.analytics.settings import AnalyticsSettings, Settings
from tests.integration.query import records
from tests.integration.services.analytics.conftest import NOW, SECRET, Analytics

TRACE = "ab" * 16
WHOLE_RANGE = {"from_": str(NOW - 3600 * 10**9), "to": str(NOW)}
# Every endpoint with parameters under which the owner finds something.
# What an answer says whatever the data: what was asked, and what it cost.
SAID_ANYWAY = {
    "time_unix_nano", "step_seconds", "name", "service", "query", "columns", "read", "from_unix_nano", "to_unix_nano",
}  # fmt: skip
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("/api/v1/services", {}),
    ("/api/v1/services/{service}", {"service": "checkout"}),
    ("/api/v1/services/{service}/operations", {"service": "checkout"}),
    ("/api/v1/service", {"name": "checkout"}),
    ("/api/v1/service/operations", {"name": "checkout"}),
    ("/api/v1/metric", {"name": "m"}),
    ("/api/v1/query", {"q": "| count() by a, resource.a, service | series | compare previous"}),
    ("/api/v1/query", {"q": "from traces {service=checkout} OR {} > {} OR {} >> {} | count() by root.service"}),
    ("/api/v1/query", {"q": "from logs"}),
    ("/api/v1/query", {"q": "from metrics | avg(value) by metric"}),
    ("/api/v1/traces", {}),
    ("/api/v1/traces", {"query": "service=checkout OR NOT exists a"}),
    ("/api/v1/traces", {"query": "a=200 OR resource.a=200 OR exists b"}),
    ("/api/v1/traces", {"cursor": TraceCursor(NOW, "").encode()}),
    ("/api/v1/traces/durations", {}),
    ("/api/v1/traces/{trace_id}", {"trace_id": TRACE}),
    ("/api/v1/logs", {}),
    ("/api/v1/logs", {"query": "exists a OR NOT exists a"}),
    ("/api/v1/logs", {"cursor": LogCursor.before(NOW).encode()}),
    ("/api/v1/logs/histogram", {}),
    ("/api/v1/metrics", {}),
    ("/api/v1/metrics/{name}", {"name": "m"}),
    ("/api/v1/metrics/{name}", {"name": "m", "cursor": PointCursor("", 0, 0, 0).encode()}),
    ("/api/v1/attributes", {"signal": "traces"}),
    ("/api/v1/attributes", {"signal": "logs"}),
    ("/api/v1/attributes", {"signal": "metrics"}),
    ("/api/v1/attributes", {"signal": "traces", "key": "a"}),
    ("/api/v1/attributes", {"signal": "logs", "key": "service"}),
    ("/api/v1/attributes", {"signal": "metrics", "key": "a"}),
    ("/api/v1/attributes", {"signal": "traces", "key": "resource.a"}),
]


@pytest.fixture
async def owned(analytics: Analytics) -> Analytics:
    """Tenant t1 owns data; t2 owns nothing."""
    some = records.samples(60)
    time = NOW - 60 * 10**9
    for request in (records.traces(some, time), records.logs(some, time), records.metrics(some, time)):
        await analytics.store(request)
    return analytics


def leaves(answer: Any) -> Iterator[Any]:
    """What an answer says that data made it say."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key not in SAID_ANYWAY:
                yield from leaves(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from leaves(value)
    elif answer not in {0, None}:
        yield answer


@pytest.mark.parametrize(("template", "parameters"), QUESTIONS)
async def test_another_tenants_data_is_not_there(owned: Analytics, template: str, parameters: dict[str, Any]) -> None:
    path = template.format(**parameters)
    rest = {name: value for name, value in parameters.items() if f"{{{name}}}" not in template} | WHOLE_RANGE
    mine = await owned.get(path, tenant="t1", **rest)
    assert mine.status_code == 200, mine.text
    assert list(leaves(mine.json()))
    # The first answer is in the cache by now; the second tenant asks the very same.
    theirs = await owned.get(path, tenant="t2", **rest)
    if "trace_id" in parameters:
        assert theirs.status_code == 404
        return
    assert theirs.status_code == 200, theirs.text
    assert list(leaves(theirs.json())) == []


@pytest.mark.parametrize(("template", "parameters"), QUESTIONS)
async def test_no_parameter_or_header_changes_the_tenant(
    owned: Analytics, template: str, parameters: dict[str, Any]
) -> None:
    path = template.format(**parameters)
    rest = {name: value for name, value in parameters.items() if f"{{{name}}}" not in template} | WHOLE_RANGE
    query = {name.rstrip("_"): value for name, value in rest.items()} | {"tenant": "t1"}
    headers = owned.headers("t2") | {"X-Tenant": "t1", "X-Airis-Tenant": "t1", "X-Scope-OrgID": "t1"}
    answer = await owned.client.get(path, params=query, headers=headers)
    assert answer.status_code == (404 if "trace_id" in parameters else 200)
    assert answer.status_code == 404 or list(leaves(answer.json())) == []


@pytest.mark.parametrize(("template", "parameters"), QUESTIONS)
async def test_nobody_asks_without_a_signed_identity(
    owned: Analytics, template: str, parameters: dict[str, Any]
) -> None:
    path = template.format(**parameters)
    for headers in ({}, {IDENTITY_HEADER: "t1"}, {"Authorization": "Bearer airis_x_y"}):
        assert (await owned.client.get(path, headers=headers)).status_code == 401
    may_only_send = owned.headers("t1", scopes=frozenset({"ingest"}))
    refused = await owned.client.get(path, headers=may_only_send)
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:airis:error:forbidden"


def test_every_endpoint_is_asked_above(analytics_settings: AnalyticsSettings) -> None:
    from libs.common.settings import IdentitySettings

    app = create_app(Settings(identity=IdentitySettings(secret=SECRET), analytics=analytics_settings))
    described = {path for path in app.openapi()["paths"] if path.startswith("/api/")}
    assert described == {path for path, _ in QUESTIONS}


def test_every_statement_binds_tenant_and_time() -> None:
    """One tenant condition for every table that is read, and a bound on time, days or trace ids."""
    for name, statement in load_statements("services.analytics").items():
        reads = len(
            re.findall(
                r"FROM (?:spans|logs|metric_points|metric_series|red_1[mh]|resources|trace_index|metric_catalogue|\{table)",
                statement.sql,
            )
        )
        assert reads > 0, name
        assert statement.sql.count("tenant = {tenant:String}") == reads, name
        bounds = len(re.findall(r"\btime >= |\bday >= |trace_id IN \(|trace_id = ", statement.sql))
        assert bounds >= reads, name


def test_only_the_repository_names_tables() -> None:
    service = Path(__file__).parents[4] / "services" / "analytics"
    for path in service.rglob("*.py"):
        if path.name != "repository.py":
            text = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert not re.search(r"\b(FROM|JOIN) [a-z_]+\b", text), path


def test_json_of_leaves_is_what_the_filter_thinks() -> None:
    assert list(leaves(json.loads('{"a": [0, null, {"b": 5, "time_unix_nano": ["1"]}], "c": false}'))) == [5]
