"""What routes get: the state that the lifespan opened, and the caller that passed the gate."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, TypedDict, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.types import Message

from libs.common.auth.key_ring import KeyRing
from libs.common.auth.passwords import Passwords
from libs.common.clock import Clock
from libs.common.errors import ClientClosedRequest, PayloadTooLarge
from services.api_gateway.gate import Caller, Gate
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.password_check import PasswordCheck
from services.api_gateway.product_description import ProductDescription
from services.api_gateway.rate_limit import Limit, RateLimiter
from services.api_gateway.redis_guard import RedisGuard
from services.api_gateway.repository import ControlPlane
from services.api_gateway.sessions import Sessions
from services.api_gateway.settings import GatewaySettings, Settings
from services.api_gateway.sign_in import SignIn, SignInLimits
from services.api_gateway.upstreams import Service, Upstream

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class State(TypedDict):
    """Made by the lifespan, read from `request.state`."""

    settings: GatewaySettings
    identity_secret: SecretStr
    clock: Clock
    metrics: GatewayMetrics
    gate: Gate
    keys: KeyRing
    keys_secret: SecretStr
    sessions: Sessions
    sign_in: SignIn
    passwords: Passwords
    control_plane: ControlPlane
    upstreams: Mapping[Service, Upstream]
    description: ProductDescription


def assemble(
    settings: Settings,
    *,
    clock: Clock,
    metrics: GatewayMetrics,
    control_plane: ControlPlane,
    keys: KeyRing,
    redis: Redis,
    upstreams: Mapping[Service, Upstream],
    passwords: Passwords,
    password_check: PasswordCheck,
    own_description: Callable[[], dict[str, Any]],
) -> State:
    """The gateway's parts over what the lifespan opened."""
    gateway = settings.gateway
    guard = RedisGuard(clock, timeout=gateway.redis_timeout_seconds)
    limiter = RateLimiter(redis, guard, metrics, clock)
    sessions = Sessions(settings.session.secret, clock)
    gate = Gate(
        keys=keys,
        sessions=sessions,
        control_plane=control_plane,
        limiter=limiter,
        limit=Limit("api", gateway.rate_limit_per_second, gateway.rate_limit_burst),
        metrics=metrics,
        trusted_proxies=gateway.trusted_networks,
        secure_cookies=gateway.secure_cookies,
    )
    limits = SignInLimits.of(burst=gateway.sign_in_burst, refill_seconds=gateway.sign_in_refill_seconds)
    return State(
        settings=gateway,
        identity_secret=settings.identity.secret,
        clock=clock,
        metrics=metrics,
        gate=gate,
        keys=keys,
        keys_secret=settings.keys.secret,
        sessions=sessions,
        sign_in=SignIn(control_plane, password_check, limiter, limits, metrics),
        passwords=passwords,
        control_plane=control_plane,
        upstreams=upstreams,
        description=ProductDescription(own_description, upstreams, clock),
    )


def state_of(request: Request) -> State:
    """The lifespan's state."""
    return cast("State", request.scope["state"])


def request_id(request: Request) -> str:
    """The id that the web defaults gave this request."""
    return str(request.scope.get("airis.request_id", ""))


class GatedRoute(APIRoute):
    """A route behind the gate. A route class, because a dependency would run after the body was parsed."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()

        async def gated(request: Request) -> Response:
            request.state.caller = await state_of(request)["gate"].admit(request)
            return await handle(request)

        return gated


class BoundedRoute(APIRoute):
    """A route whose body is read, up to the limit, before it is parsed."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            body = await _read_body(request, state_of(request)["settings"].max_body_bytes)
            return await handle(Request(request.scope, _replay(body, request)))

        return bounded


class GatedBoundedRoute(GatedRoute, BoundedRoute):
    """First the gate, then the body."""


def caller(request: Request) -> Caller:
    """Who passed the gate; only on gated routes."""
    return cast("Caller", request.state.caller)


CurrentState = Annotated[State, Depends(state_of)]
CurrentCaller = Annotated[Caller, Depends(caller)]
RequestId = Annotated[str, Depends(request_id)]


async def _read_body(request: Request, limit: int) -> bytes:
    length = request.headers.get("content-length", "0")
    body = bytearray()
    if not (length.isdecimal() and int(length) > limit):
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientClosedRequest
            body += message.get("body", b"")
            if len(body) > limit:
                break
            if not message.get("more_body", False):
                return bytes(body)
    raise PayloadTooLarge(f"The body passes {limit} bytes.")


def _replay(body: bytes, request: Request) -> Callable[[], Coroutine[Any, Any, Message]]:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return await request.receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
