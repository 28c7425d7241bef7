"""The table of upstreams as routes, and what lies under /api without being one."""

import re
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from libs.common.auth.identity import Identity, sign_identity
from libs.common.errors import MethodNotAllowed, NotFound
from services.api_gateway.dependencies import GatedRoute, State, caller, request_id, state_of
from services.api_gateway.forwarded_headers import request_headers
from services.api_gateway.forwarding import ForwardedResponse, Forwarding, request_target
from services.api_gateway.response_headers import add_response_header
from services.api_gateway.upstreams import ROUTES, Route

# All of them, so that a wrong one meets the gate first and then a 405 that names the right ones.
_ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def router(own: Sequence[APIRouter]) -> APIRouter:
    """Routes in the order of the table. `own` are the gateway's, which a wrong method is compared with."""
    forwarding = APIRouter(include_in_schema=False)
    for route in ROUTES:
        if route.prefix == "/":
            _add_unknown_api(forwarding, own)
            _add_unknown_otlp(forwarding)
        _add(forwarding, route)
    return forwarding


def _add(router: APIRouter, route: Route) -> None:
    async def forward(request: Request) -> Response:
        if request.method not in route.methods:
            raise _method_not_allowed(request, route.methods)
        identity = caller(request).identity if route.scope else None
        if identity is not None and route.scope is not None:
            identity.require_scope(route.scope)
        return _forward(request, route, identity)

    route_class = GatedRoute if route.scope else APIRoute
    below = [f"{route.prefix.rstrip('/')}/{{rest:path}}"] if route.below else []
    for path in [*([] if route.prefix == "/" else [route.prefix]), *below]:
        router.add_api_route(path, forward, methods=_ANY, route_class_override=route_class)


def _add_unknown_api(router: APIRouter, own: Sequence[APIRouter]) -> None:
    """Behind the gate too, so that a stranger cannot tell which paths exist."""

    async def unknown(request: Request) -> Response:
        allowed: set[str] = set()
        for known in (known for router in own for known in router.routes):
            if isinstance(known, APIRoute) and known.matches(request.scope)[0] is Match.PARTIAL:
                allowed |= known.methods or set()
        if allowed:
            raise _method_not_allowed(request, frozenset(allowed))
        raise NotFound("There is nothing at this path. The API is described at /api/docs.")

    for path in ("/api", "/api/{rest:path}"):
        router.add_api_route(path, unknown, methods=_ANY, route_class_override=GatedRoute)


def _add_unknown_otlp(router: APIRouter) -> None:
    async def otherwise(request: Request) -> Response:
        """A base URL that ends in a slash, or a full one that had a slash added, still means the receiver's path."""
        meant = re.sub("/{2,}", "/", request.scope["path"]).rstrip("/")
        for route in ROUTES:
            if route.service == "receiver" and route.prefix == meant:
                if request.method not in route.methods:
                    raise _method_not_allowed(request, route.methods)
                return _forward(request, route, None)
        raise NotFound("There is nothing at this path. OTLP over HTTP goes to /v1/traces, /v1/logs and /v1/metrics.")

    for path in ("/v1", "/v1/{rest:path}", "//v1/{rest:path}"):
        router.add_api_route(path, otherwise, methods=_ANY)


def _forward(request: Request, route: Route, identity: Identity | None) -> Response:
    state = state_of(request)
    upstream, settings = state["upstreams"][route.service], state["settings"]
    headers = request_headers(
        request.scope["headers"],
        host=upstream.base_url.netloc,
        origin=state["gate"].origin(request),
        request_id=request_id(request),
        identity=None if identity is None else _signed(state, identity, route),
        keep_authorization=route.keeps_authorization,
    )
    limit = settings.max_ingest_body_bytes if route.service == "receiver" else settings.max_body_bytes
    forwarding = Forwarding(upstream, request_target(request.scope), headers, limit)
    return ForwardedResponse(forwarding, state["metrics"], state["clock"])


def _signed(state: State, identity: Identity, route: Route) -> str:
    return sign_identity(identity, state["identity_secret"], state["clock"], audience=route.service)


def _method_not_allowed(request: Request, allowed: frozenset[str]) -> MethodNotAllowed:
    methods = ", ".join(sorted(allowed))
    add_response_header(request.scope, "Allow", methods)
    return MethodNotAllowed(f"This path takes {methods}.")
