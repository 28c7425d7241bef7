"""Sign in, sign out, and who am I."""

import structlog
from fastapi import APIRouter, Request, Response

from libs.common.errors import AirisError, NotFound
from services.api_gateway.client_origin import require_same_site
from services.api_gateway.dependencies import (
    BoundedRoute,
    CurrentCaller,
    CurrentState,
    GatedBoundedRoute,
    RequestId,
)
from services.api_gateway.repository import AuditEvent
from services.api_gateway.response_headers import add_response_header
from services.api_gateway.schemas import Me, OtlpAddresses, SignInRequest, TenantOut
from services.api_gateway.sessions import delete_cookie

log = structlog.get_logger(__name__)

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
    sessions = state["sessions"]
    session = sessions.start(user_id=user.id, email=user.email, tenant=user.tenant, roles=user.roles)
    cookie = sessions.set_cookie(session, secure=state["gate"].secure_cookies(origin))
    return Response(status_code=204, headers={"Set-Cookie": cookie})


@router.post("/api/v1/auth/sign-out", status_code=204, response_class=Response, summary="Sign out")
async def sign_out(request: Request, caller: CurrentCaller, state: CurrentState, request_id: RequestId) -> Response:
    """End the session in this browser and every copy of its cookie."""
    session = caller.require_session()
    add_response_header(request.scope, "Set-Cookie", delete_cookie(secure=state["gate"].secure_cookies(caller.origin)))
    await state["sessions"].revoke(session)
    try:
        await state["control_plane"].record(
            AuditEvent(
                tenant=session.tenant,
                action="sign_out",
                outcome="ok",
                subject=session.subject,
                target=session.email,
                address=caller.origin.address,
                request_id=request_id,
            )
        )
    except AirisError as error:
        # The session is over either way, and must be; the log keeps what the table could not take.
        log.error("sign-out not in the audit log", subject=session.subject, tenant=session.tenant, error=error.id)  # noqa: TRY400
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
        roles=sorted(session.roles),
        otlp=OtlpAddresses(http=settings.otlp_http, grpc=settings.otlp_grpc) if known else None,
    )
