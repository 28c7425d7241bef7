"""HTTP in and out, one router per area. Paths are written whole, because they are also the metrics' labels."""

from fastapi import FastAPI

from services.api_gateway.routes import api_keys, auth, documentation, forwarding, internal


def install_routes(app: FastAPI) -> None:
    """All routes; forwarding last, since it ends with one for every path."""
    own = (auth.entrance, auth.router, api_keys.router, documentation.router, internal.router)
    for router in (*own, forwarding.router(own)):
        app.include_router(router)
