"""Keys and values to offer while a query is typed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from libs.common.query import Signal, parse_key
from services.analytics import suggestions
from services.analytics.cursors import PageCursor
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.routes.parameters import Cursor
from services.analytics.schemas import AttributeKeys, AttributeValues

router = APIRouter(tags=["attributes"])


@router.get("/api/v1/attributes", response_model=AttributeKeys | AttributeValues, summary="Keys, or values of a key")
async def list_attributes(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    signal: Signal,
    key: Annotated[
        str | None,
        Query(
            description="A key as the query language writes it; with it the answer is its values.",
            max_length=1024,
            examples=["http.route", "resource.host.name"],
        ),
    ] = None,
    prefix: Annotated[str, Query(description="How keys or values begin, whatever their case.", max_length=1024)] = "",
    cursor: Cursor = None,
) -> Response:
    """Seen in the newest records of the range, up to a million of them; a rare key may be missing."""
    repository, records = state["repository"], state["settings"].suggestion_records
    offset = PageCursor.decode(cursor).offset if cursor else 0
    if key is None:
        question = question_of("attribute_keys", tenant, span, "keys", signal=signal, prefix=prefix, offset=offset)
        return await respond(
            request, question, lambda: suggestions.keys(repository, tenant, signal, span, prefix, records, offset)
        )
    parsed = parse_key(key)
    question = question_of(
        "attribute_values", tenant, span, "values", signal=signal, key=str(parsed), prefix=prefix, offset=offset
    )
    return await respond(
        request, question, lambda: suggestions.values(repository, tenant, signal, span, parsed, prefix, records, offset)
    )
