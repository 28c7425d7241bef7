"""The product's API, described and browsable, without a byte from elsewhere."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Response
from starlette.responses import FileResponse

from services.api_gateway.dependencies import CurrentState, GatedRoute

router = APIRouter(route_class=GatedRoute, include_in_schema=False)

# Swagger UI draws its icons from data: URLs in its style sheet.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AIRIS-MON API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
# A file of its own, because the policy forbids inline scripts.
_START = """SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  validatorUrl: null,
});
"""
_MEDIA_TYPES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@router.get("/api/openapi.json")
async def openapi(state: CurrentState) -> Response:
    """OpenAPI 3.1 of everything behind this gateway."""
    return Response(await state["description"].document(), media_type="application/json")


@router.get("/api/docs")
async def page() -> Response:
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


@router.get("/api/docs/start.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript")


@router.get("/api/docs/{name}")
async def asset(name: Literal["swagger-ui.css", "swagger-ui-bundle.js"]) -> Response:
    """Swagger UI as the fastapi-offline wheel carries it."""
    path = Path(str(files("fastapi_offline").joinpath("static", name)))
    return FileResponse(path, media_type=_MEDIA_TYPES[name], headers={"Cache-Control": "private, max-age=86400"})
