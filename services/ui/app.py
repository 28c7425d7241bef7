"""Put the UI service together."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness
from services.ui.assets import Assets
from services.ui.settings import UiSettings


def create_app(settings: UiSettings) -> FastAPI:
    """The UI's application. It has nothing to open: the files are read here, once."""
    assets, readiness = Assets(settings.static), Readiness()
    readiness.add("build", assets.check)
    app = FastAPI(title="AIRIS-MON ui", openapi_url=None)
    install_web_defaults(app, service="ui", registry=CollectorRegistry(), readiness=readiness)

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def file(request: Request, path: str) -> Response:
        return await assets.answer(request, path)

    return app
