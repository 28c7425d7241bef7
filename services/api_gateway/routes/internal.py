"""For our own services: the feed of API keys. Not part of the product's API, and nothing for whoever has no service token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from libs.common.auth.identity import IDENTITY_HEADER, verify_service
from libs.common.auth.key_feed import AUDIENCE, PATH
from libs.common.errors import Unauthenticated
from services.api_gateway.dependencies import BoundedRoute, CurrentState, state_of
from services.api_gateway.schemas import KeyUses

router = APIRouter(route_class=BoundedRoute, include_in_schema=False)


def calling_service(request: Request) -> str:
    """The service that signed the request. Raises Unauthenticated."""
    state, token = state_of(request), request.headers.get(IDENTITY_HEADER)
    if not token:
        raise Unauthenticated("This path is for our own services.")
    return verify_service(token, state["keys_secret"], state["clock"], audience=AUDIENCE)


_ServicesOnly = [Depends(calling_service)]


@router.get(PATH, dependencies=_ServicesOnly)
async def key_changes(
    state: CurrentState,
    epoch: Annotated[str, Query(max_length=64)] = "",
    version: Annotated[int, Query(ge=-1, le=2**62)] = -1,
) -> dict[str, Any]:
    """Keys that changed since `version` of the history `epoch`; all valid ones for who knows another history."""
    return (await state["control_plane"].key_changes(epoch, version)).document()


@router.post(f"{PATH}/uses", status_code=204, dependencies=_ServicesOnly)
async def note_uses(body: KeyUses, state: CurrentState) -> None:
    """When keys were last used."""
    await state["control_plane"].note_uses(body.uses)
