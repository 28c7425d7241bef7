"""RFC 9457, whatever went wrong."""

from typing import Annotated

import orjson
import pytest
from fastapi import FastAPI, Query
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from libs.common.errors import (
    AirisError,
    InvalidQuery,
    NotFound,
    PayloadTooLarge,
    QueryTooExpensive,
    RateLimited,
    StoreUnavailable,
)
from libs.common.testing import FakeClock
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from libs.common.web.problems import as_airis_error, problem_response

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(
    st.sampled_from([NotFound, StoreUnavailable, RateLimited, QueryTooExpensive]),
    texts,
    st.none() | st.floats(0, 1e6),
    st.dictionaries(texts | st.sampled_from(["type", "status", "detail"]), json_values, max_size=4),
    texts,
)
def test_every_error_is_a_problem_document(kind, detail, retry_after, extra, instance) -> None:
    error = kind(detail, retry_after=retry_after, extra=extra)
    response = problem_response(error, instance=instance, request_id="r1")
    document = orjson.loads(response.body)
    assert response.status_code == document["status"] == kind.status
    assert document["type"] == f"urn:airis:error:{kind.id}"
    assert document["title"] == kind.title
    assert document["detail"] == (detail or kind.title)
    assert document["instance"] == instance
    assert document["request_id"] == "r1"
    standard = {"type", "title", "status", "detail", "instance", "request_id"}
    assert {key: document[key] for key in extra if key not in standard} == {
        key: value for key, value in extra.items() if key not in standard
    }
    assert response.headers["content-type"] == "application/problem+json"
    if retry_after is None:
        assert "retry-after" not in response.headers
    else:
        assert int(response.headers["retry-after"]) >= max(1, retry_after)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, "not-found"),
        (405, "method-not-allowed"),
        (413, "payload-too-large"),
        (418, "invalid-request"),
        (500, "internal"),
    ],
)
def test_starlettes_errors_have_a_place_in_the_tree(status: int, error: str) -> None:
    assert as_airis_error(HTTPException(status)).id == error


def test_an_unexpected_error_says_nothing_of_itself() -> None:
    error = as_airis_error(RuntimeError("password hunter2"))
    assert error.id == "internal"
    assert "hunter2" not in error.detail


class Thing(BaseModel):
    name: str
    size: int


@pytest.fixture
async def client():
    app, clock = FastAPI(), FakeClock()
    install_web_defaults(app, service="test", registry=CollectorRegistry(), readiness=Readiness(clock), clock=clock)

    @app.get("/limited")
    async def limited(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    @app.post("/things")
    async def things(thing: Thing) -> str:
        return thing.name

    @app.get("/query")
    async def query() -> None:
        raise InvalidQuery("Unexpected ')'", position=3, expected="a value")

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("password hunter2")

    @app.get("/large")
    async def large() -> None:
        raise PayloadTooLarge("Send less.")

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_a_wrong_parameter_is_named_with_its_place(client: AsyncClient) -> None:
    response = await client.get("/limited?limit=0")
    assert response.status_code == 400
    document = response.json()
    assert document["type"] == "urn:airis:error:invalid-request"
    assert document["errors"] == [
        {"in": "query", "name": "limit", "reason": "Input should be greater than or equal to 1"}
    ]
    assert document["detail"] == "query limit: Input should be greater than or equal to 1"
    assert document["request_id"] == response.headers["x-request-id"]


async def test_a_wrong_body_is_named_and_never_echoed(client: AsyncClient) -> None:
    response = await client.post("/things", json={"size": "hunter2"})
    assert response.status_code == 400
    assert [(e["in"], e["name"]) for e in response.json()["errors"]] == [("body", "name"), ("body", "size")]
    assert "1 more in errors" in response.json()["detail"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"name": 1e999}'])
async def test_a_body_that_is_no_json_is_a_400(client: AsyncClient, body: bytes) -> None:
    response = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_error_of_the_tree_keeps_its_members(client: AsyncClient) -> None:
    response = await client.get("/query")
    assert (response.status_code, response.json()["position"], response.json()["expected"]) == (400, 3, "a value")


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", "/limited", 405, "method-not-allowed"),
        ("GET", "/large", 413, "payload-too-large"),
        ("GET", "/crash", 500, "internal"),
    ],
)
async def test_other_ways_to_fail(client: AsyncClient, method: str, path: str, status: int, error: str) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.json()["type"] == f"urn:airis:error:{error}"
    assert response.headers["cache-control"] == "no-store"
    assert "hunter2" not in response.text
    if status == 405:
        assert response.headers["allow"] == "GET"


def test_every_leaf_can_be_rendered() -> None:
    for kind in AirisError.__subclasses__():
        assert problem_response(kind("why"), instance="/", request_id="r").status_code == kind.status
