"""Sign in, sign out, a new password, and who am I."""

from fastapi import APIRouter, Request, Response

from libs.common.errors import NotFound, Unavailable
from services.api_gateway.client_origin import ClientOrigin, require_same_site
from services.api_gateway.dependencies import (
    BoundedRoute,
    CurrentCaller,
    CurrentState,
    GatedBoundedRoute,
    RequestId,
    State,
)
from services.api_gateway.errors import SessionNotRevoked
from services.api_gateway.repository import AuditEvent, User
from services.api_gateway.response_headers import add_response_header
from services.api_gateway.schemas import Me, OtlpAddresses, PasswordChange, SignInRequest, TenantOut
from services.api_gateway.sessions import delete_cookie
from services.api_gateway.sign_in import change_password

# Two routers only because the way in cannot be behind the gate.
entrance = APIRouter(route_class=BoundedRoute, tags=["auth"])
router = APIRouter(route_class=GatedBoundedRoute, tags=["auth"])


@entrance.post(
    "/api/v1/auth/sign-in",
    status_code=204,
    response_class=Response,
    summary="Sign in",
    responses={204: {"description": "Signed in; the session is in the cookie."}},
    openapi_extra={"security": []},
)
async def sign_in(body: SignInRequest, request: Request, state: CurrentState, request_id: RequestId) -> Response:
    """Trade e-mail and password for a session cookie of 15 minutes that is renewed while used, up to 12 hours."""
    origin = state["gate"].origin(request)
    # Signing somebody in as somebody else is an attack too; without a browser's headers there is no victim.
    require_same_site(request.headers, origin.host, proof=False)
    user = await state["sign_in"].check(body.email, body.password, address=origin.address, request_id=request_id)
    return Response(status_code=204, headers={"Set-Cookie": _new_session(state, user, origin)})


@router.post(
    "/api/v1/auth/password",
    status_code=204,
    response_class=Response,
    summary="Change one's password",
    responses={204: {"description": "Changed. All sessions of the user are over; the cookie holds a new one."}},
)
async def change_own_password(
    body: PasswordChange, caller: CurrentCaller, state: CurrentState, request_id: RequestId
) -> Response:
    """Set a new password with the present one. Ends every session of the user, and opens a new one here."""
    session, address = caller.require_session(), caller.origin.address
    # A stolen cookie is no password: guesses count as they do at the entrance.
    user = await state["sign_in"].check(
        session.email, body.current_password, address=address, request_id=request_id, action="password.check"
    )
    changed = await change_password(
        state["control_plane"], state["passwords"], user, body.new_password,
        subject=session.subject, address=address, request_id=request_id,
    )  # fmt: skip
    return Response(status_code=204, headers={"Set-Cookie": _new_session(state, changed, caller.origin)})


@router.post("/api/v1/auth/sign-out", status_code=204, response_class=Response, summary="Sign out")
async def sign_out(request: Request, caller: CurrentCaller, state: CurrentState, request_id: RequestId) -> Response:
    """End the session in this browser and every copy of its cookie."""
    session = caller.require_session()
    add_response_header(request.scope, "Set-Cookie", delete_cookie(secure=state["gate"].secure_cookies(caller.origin)))
    event = AuditEvent(
        tenant=session.tenant,
        action="sign_out",
        outcome="ok",
        subject=session.subject,
        target=session.email,
        address=caller.origin.address,
        request_id=request_id,
    )
    try:
        await state["control_plane"].end_session(session.session_id, session.forget_at, event)
    except Unavailable as error:
        raise SessionNotRevoked(
            "You are signed out in this browser, but a copy of its cookie would stay valid for up to 15 minutes. "
            "If it may have been copied, sign in and out again.",
            retry_after=5,
        ) from error
    return Response(status_code=204)


@router.get("/api/v1/auth/me", summary="Who is signed in")
async def me(caller: CurrentCaller, state: CurrentState) -> Me:
    """The session's user, tenant and roles."""
    session = caller.require_session()
    tenant = await state["control_plane"].tenant(session.tenant)
    if tenant is None:
        raise NotFound("The tenant of this user does not exist.")
    settings = state["settings"]
    known = settings.otlp_http and settings.otlp_grpc
    return Me(
        email=session.email,
        tenant=TenantOut(id=tenant.id, name=tenant.name),
        roles=sorted(caller.identity.roles),
        otlp=OtlpAddresses(http=settings.otlp_http, grpc=settings.otlp_grpc) if known else None,
    )


def _new_session(state: State, user: User, origin: ClientOrigin) -> str:
    sessions = state["sessions"]
    return sessions.set_cookie(sessions.start(user), secure=state["gate"].secure_cookies(origin))
