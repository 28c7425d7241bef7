"""Headers of every answer, and the API's own description."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse

from libs.common.errors import ControlStoreUnavailable
from libs.common.testing import FakeClock
from libs.common.web.health import Readiness
from services.api_gateway.readiness import add_checks
from services.api_gateway.response_headers import DATA_POLICY, PAGE_POLICY
from services.api_gateway.upstreams import Upstream
from tests.fixtures.gateway import FakeRedis, GatewayUnderTest, bearer, gateway_on_fakes


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayUnderTest]:
    async with gateway_on_fakes() as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/api/v1/services", "/api/nothing", "/livez", "/readyz", "/metrics", "/%2e%2e/"])
async def test_every_answer_is_locked_down(gateway: GatewayUnderTest, path: str) -> None:
    headers = (await gateway.script.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"] == (DATA_POLICY if path.startswith("/api/") else PAGE_POLICY)
    assert "unsafe" not in headers["content-security-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers
    assert headers["x-request-id"]
    if path.startswith("/api/"):
        assert headers["cache-control"] == "no-store"


async def test_the_ui_may_bring_its_own_policy_and_caching() -> None:
    ui = FastAPI()
    own = {"Content-Security-Policy": "default-src 'self' blob:", "Cache-Control": "public, immutable"}
    ui.add_api_route("/assets/app.js", lambda: HTMLResponse("x", headers=own))
    async with gateway_on_fakes(upstreams={"ui": ui}) as gateway:
        answer = await gateway.script.get("/assets/app.js")
        for name, value in own.items():
            assert answer.headers.get_list(name) == [value]


async def test_a_request_id_goes_all_the_way(gateway: GatewayUnderTest) -> None:
    answer = await gateway.script.get("/", headers={"X-Request-Id": "abc-1"})
    assert answer.headers.get_list("x-request-id") == ["abc-1"]
    assert ["x-request-id", "abc-1"] in answer.json()["headers"]
    answer = await gateway.script.get("/", headers={"X-Request-Id": "a b"})
    assert answer.headers["x-request-id"] != "a b"


async def test_a_path_with_dots_reaches_nobody(gateway: GatewayUnderTest) -> None:
    key = bearer(await gateway.add_key("acme"))
    for path in ("/api/v1/services/%2e%2e/%2e%2e/metrics", "/%2e%2e/etc/passwd", "/a%5c..%5cb", "/a%00"):
        answer = await gateway.script.get(path, headers=key)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:airis:error:invalid-request")


async def test_the_whole_api_is_described_in_one_document(gateway: GatewayUnderTest) -> None:
    key = bearer(await gateway.add_key("acme"))
    answer = await gateway.script.get("/api/openapi.json", headers=key)
    document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"].startswith("3.1")
    assert {"/api/v1/auth/sign-in", "/api/v1/auth/me", "/api/v1/api-keys"} <= set(document["paths"])
    assert document["paths"]["/api/v1/auth/sign-in"]["post"]["security"] == []
    identifiers = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "operationId" in operation
    ]
    assert len(identifiers) == len(set(identifiers))
    assert "sign_in" in identifiers


async def test_the_docs_need_nothing_from_elsewhere_and_nothing_inline(gateway: GatewayUnderTest) -> None:
    key = bearer(await gateway.add_key("acme"))
    page = await gateway.script.get("/api/docs", headers=key)
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert "style=" not in page.text
    for name, media_type in {
        "swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript", "start.js": "text/javascript",
    }.items():  # fmt: skip
        assert f'"/api/docs/{name}"' in page.text
        asset = await gateway.script.get(f"/api/docs/{name}", headers=key)
        assert asset.headers["content-type"].startswith(media_type)
        assert asset.content
    assert (await gateway.script.get("/api/docs/core.py", headers=key)).status_code == 400
    assert (await gateway.script.get("/api/docs/..%2fcore.py", headers=key)).status_code in {400, 404}


async def test_readiness_names_what_is_away_and_stays_in_rotation() -> None:
    clock = FakeClock()
    redis, readiness = FakeRedis(clock), Readiness(clock)
    redis.down = True

    class Store:
        async def check(self) -> None:
            raise ControlStoreUnavailable("away")

    def away(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.url.host == "ui" else 503)

    client = httpx.AsyncClient(transport=httpx.MockTransport(away))
    upstreams = {name: Upstream(name, httpx.URL(f"http://{name}"), client) for name in ("analytics", "ui")}
    add_checks(readiness, Store(), redis, upstreams)
    is_ready, report = await readiness.report()
    assert is_ready
    assert {name: check["ok"] for name, check in report["checks"].items()} == {
        "control_store": False, "redis": False, "analytics": False, "ui": True,
    }  # fmt: skip
