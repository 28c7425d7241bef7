"""The description of the product, out of the services as they are."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from cli import product_openapi
from libs.common.settings import IdentitySettings
from services.analytics.app import create_app
from services.analytics.settings import Settings
from services.api_gateway.upstreams import route_of
from tests.fixtures.gateway import IDENTITY_SECRET, bearer, gateway_on_fakes


@pytest.fixture
def analytics() -> FastAPI:
    return create_app(Settings(identity=IdentitySettings(secret=IDENTITY_SECRET)))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


async def test_every_path_of_analytics_is_routed_and_described(analytics: FastAPI) -> None:
    described = {path for path in analytics.openapi()["paths"] if path.startswith("/api/")}
    assert described
    for path in described:
        route = route_of(path)
        assert route is not None
        assert (route.service, route.scope) == ("analytics", "read"), path
    async with gateway_on_fakes(upstreams={"analytics": analytics}) as gateway:
        key = bearer(await gateway.add_key("acme"))
        document = (await gateway.script.get("/api/openapi.json", headers=key)).json()
    # The file that the web UI is built against is what a gateway gives.
    assert document == orjson.loads(product_openapi.FILE.read_bytes())
    assert described <= set(document["paths"])
    assert "description" not in document["info"]
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    operations = [
        operation
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(identifiers) == len(set(identifiers))
    assert all(operation["responses"]["default"] for operation in operations)
