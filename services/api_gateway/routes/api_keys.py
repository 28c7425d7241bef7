"""API keys of a tenant, for its administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from libs.common.auth.api_keys import generate_api_key, hash_api_key
from libs.common.errors import NotFound
from services.api_gateway.dependencies import CurrentCaller, CurrentState, GatedBoundedRoute, RequestId
from services.api_gateway.gate import Caller
from services.api_gateway.repository import AuditEvent, StoredApiKey
from services.api_gateway.schemas import ApiKeyList, ApiKeyOut, CreatedApiKey, NewApiKey

# Keys are for machines and teams, not for requests; a loop that makes them is stopped here.
MAX_VALID_KEYS = 500

router = APIRouter(route_class=GatedBoundedRoute, tags=["api keys"])
KeyId = Annotated[str, Path(pattern=r"^[a-z2-7]{12}$", description="The part of the key between the underscores.")]


@router.get("/api/v1/api-keys", summary="List API keys")
async def list_api_keys(caller: CurrentCaller, state: CurrentState) -> ApiKeyList:
    """The tenant's valid keys, oldest first, without their secrets."""
    _require_admin(caller)
    await state["keys"].report_uses()
    stored = await state["control_plane"].api_keys(caller.identity.tenant)
    return ApiKeyList(api_keys=[_out(entry) for entry in stored if not entry.key.revoked])


@router.post("/api/v1/api-keys", status_code=201, summary="Make an API key")
async def create_api_key(
    body: NewApiKey, caller: CurrentCaller, state: CurrentState, request_id: RequestId
) -> CreatedApiKey:
    """A new key. The answer is the only place where it is ever shown."""
    _require_admin(caller)
    identity, control_plane = caller.identity, state["control_plane"]
    key, text = generate_api_key(tenant=identity.tenant, name=body.name, scopes=body.scopes)
    event = _event("api_key.create", caller, key.key_id, request_id)
    created = await control_plane.add_api_key(
        key, hash_api_key(text), created_by=identity.subject, event=event, at_most=MAX_VALID_KEYS
    )
    return CreatedApiKey(
        key=text,
        key_id=key.key_id,
        name=key.name,
        scopes=sorted(key.scopes),
        created_by=identity.subject,
        created_at_unix_nano=str(created),
        last_used_unix_nano=None,
    )


@router.delete("/api/v1/api-keys/{key_id}", status_code=204, response_class=Response, summary="Revoke an API key")
async def revoke_api_key(key_id: KeyId, caller: CurrentCaller, state: CurrentState, request_id: RequestId) -> Response:
    """The key stops working everywhere within seconds. Revoking it again changes nothing."""
    _require_admin(caller)
    event = _event("api_key.revoke", caller, key_id, request_id)
    if not await state["control_plane"].revoke_api_key(caller.identity.tenant, key_id, event=event):
        raise NotFound(f"There is no API key {key_id}.")
    await state["keys"].refresh()  # this process knows at once, the others within a second or two
    return Response(status_code=204)


def _require_admin(caller: Caller) -> None:
    caller.require_session()
    caller.identity.require_role("admin")


def _event(action: str, caller: Caller, key_id: str, request_id: str) -> AuditEvent:
    return AuditEvent(
        tenant=caller.identity.tenant,
        action=action,
        outcome="ok",
        subject=caller.identity.subject,
        target=key_id,
        address=caller.origin.address,
        request_id=request_id,
    )


def _out(stored: StoredApiKey) -> ApiKeyOut:
    return ApiKeyOut(
        key_id=stored.key.key_id,
        name=stored.key.name,
        scopes=sorted(stored.key.scopes),
        created_by=stored.created_by,
        created_at_unix_nano=str(stored.created),
        last_used_unix_nano=None if stored.last_used is None else str(stored.last_used),
    )
