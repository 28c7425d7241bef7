"""One OpenAPI document out of several."""

import copy
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.testing import FakeClock
from services.api_gateway.openapi_merge import merge_service, otlp_paths, with_conventions
from services.api_gateway.product_description import FRESH_SECONDS, RETRY_SECONDS, ProductDescription
from services.api_gateway.upstreams import Upstream


def own() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "AIRIS-MON", "version": "0"},
        "paths": {"/api/v1/auth/me": {"get": {"responses": {"200": {}, "422": {}}}}},
        "components": {"schemas": {"Me": {"type": "object"}, "HTTPValidationError": {}, "Trace": {"type": "string"}}},
    }


def analytics() -> dict[str, Any]:
    reference = {"schema": {"$ref": "#/components/schemas/Trace"}}
    return {
        "openapi": "3.1.0",
        "paths": {
            "/api/v1/traces": {
                "get": {
                    "operationId": "search",
                    "security": [{"internal": []}],
                    "responses": {"200": {"content": {"application/json": reference}}, "422": {}},
                },
                "post": {"operationId": "secret"},
                "parameters": [],
            },
            "/api/v1/auth/me": {"get": {"operationId": "hijack"}},
            "/api/v1/dashboards": {"get": {"operationId": "not routed yet"}},
            "/livez": {"get": {"operationId": "live"}},
            "/v1/traces": {"post": {"operationId": "not its own"}},
        },
        "components": {
            "schemas": {
                "Trace": {"type": "object", "properties": {"spans": {"items": {"$ref": "#/components/schemas/Span"}}}},
                "Span": {"properties": {"trace": {"$ref": "#/components/schemas/Trace"}}},
                "Me": {"type": "object"},
            },
            "securitySchemes": {"internal": {}},
        },
    }


def merged(silent: tuple[str, ...] = ()) -> dict[str, Any]:
    document = own()
    merge_service(document, "analytics", analytics())
    return with_conventions(document, silent)


def test_only_what_can_be_reached_through_the_gateway_is_described() -> None:
    document = merged()
    assert set(document["paths"]) == {"/api/v1/auth/me", "/api/v1/traces"}
    assert "operationId" not in document["paths"]["/api/v1/auth/me"]["get"]
    assert set(document["paths"]["/api/v1/traces"]) == {"get", "parameters"}
    operation = document["paths"]["/api/v1/traces"]["get"]
    assert (operation["operationId"], operation["tags"]) == ("analytics_search", ["analytics"])
    assert "security" not in operation


def test_schemas_of_one_name_and_two_meanings_are_kept_apart() -> None:
    document = merged()
    schemas = document["components"]["schemas"]
    assert schemas["Trace"] == {"type": "string"}
    assert schemas["AnalyticsTrace"]["properties"]["spans"]["items"] == {"$ref": "#/components/schemas/Span"}
    assert schemas["Span"]["properties"]["trace"] == {"$ref": "#/components/schemas/AnalyticsTrace"}
    content = document["paths"]["/api/v1/traces"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/AnalyticsTrace"}
    assert "AnalyticsMe" not in schemas


def test_every_operation_may_end_in_a_problem_and_says_how_to_get_in() -> None:
    document = merged()
    assert document["security"] == [{"bearer": []}, {"cookie": []}]
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["cookie"]["in"], schemes["cookie"]["name"]) == ("cookie", "airis_session")
    for operations in document["paths"].values():
        assert set(operations["get"]["responses"]) == {"200", "default"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert not {"description"} & set(document["info"])


def test_ingestion_takes_keys_only() -> None:
    paths = otlp_paths()
    assert set(paths) == {"/v1/traces", "/v1/logs", "/v1/metrics"}
    for operations in paths.values():
        assert operations["post"]["security"] == [{"bearer": []}]


json_values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["/api/v1/logs", "/x"]), json_values), json_values)
def test_any_document_of_a_service_can_be_merged(paths: dict[str, Any], components: Any) -> None:
    document = {"paths": paths, "components": components}
    before, merged = copy.deepcopy(document), own()
    merge_service(merged, "analytics", document)
    with_conventions(merged, [])
    assert document == before
    assert set(merged["paths"]) <= {"/api/v1/auth/me", "/api/v1/logs"}


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.asked: list[str] = []
        self.answers: dict[str, httpx.Response] = {}
        transport = httpx.MockTransport(self._answer)
        upstreams = {
            service: Upstream(service, httpx.URL(f"http://{service}"), httpx.AsyncClient(transport=transport))
            for service in ("analytics", "receiver", "ui")
        }
        self.description = ProductDescription(own, upstreams, self.clock)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/openapi.json"
        self.asked.append(request.url.host)
        if request.url.host not in self.answers:
            raise httpx.ConnectError("away")
        return self.answers[request.url.host]

    async def document(self) -> dict[str, Any]:
        return orjson.loads(await self.description.document())


async def test_a_service_that_is_away_is_named_and_asked_again_soon() -> None:
    setting = Setting()
    document = await setting.document()
    assert "does not answer: analytics." in document["info"]["description"]
    assert "/v1/traces" in document["paths"]
    await setting.document()
    assert setting.asked == ["analytics"]
    setting.answers["analytics"] = httpx.Response(200, json=analytics())
    setting.clock.move(RETRY_SECONDS)
    document = await setting.document()
    assert "/api/v1/traces" in document["paths"]
    assert "description" not in document["info"]


async def test_descriptions_are_kept_for_a_minute_and_longer_while_their_service_is_away() -> None:
    setting = Setting()
    setting.answers["analytics"] = httpx.Response(200, json=analytics())
    await setting.document()
    setting.clock.move(FRESH_SECONDS - 1)
    await setting.document()
    assert len(setting.asked) == 1
    setting.answers.clear()
    setting.clock.move(1)
    document = await setting.document()
    assert len(setting.asked) == 2
    assert "/api/v1/traces" in document["paths"]
    assert "description" not in document["info"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"paths": []}),
        httpx.Response(200, content=b" " * (4 * 1024 * 1024 + 1)),
        httpx.Response(302, headers={"Location": "http://elsewhere/openapi.json"}),
    ],
    ids=["no document", "no JSON", "no object", "no paths", "too large", "elsewhere"],
)
async def test_an_answer_that_is_no_description_is_none(answer: httpx.Response) -> None:
    setting = Setting()
    setting.answers["analytics"] = answer
    assert "analytics" in (await setting.document())["info"]["description"]
