"""Log search and its histogram."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from libs.common.query import parse
from services.analytics.cursors import LogCursor
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.routes.parameters import Cursor, LogQuery, normal_form
from services.analytics.schemas import LogHistogram, LogList

router = APIRouter(tags=["logs"])


@router.get("/api/v1/logs", response_model=LogList, summary="Search logs")
async def search_logs(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    query: LogQuery = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> Response:
    """Records that fit the query, newest first, every field as sent."""
    tree = parse(query)
    place = LogCursor.decode(cursor) if cursor else None
    question = question_of(
        "logs", tenant, span, "logs", query=normal_form(tree), limit=limit, cursor=place.encode() if place else ""
    )
    return await respond(request, question, lambda: state["logs"].search(tenant, tree, span, limit, place))


@router.get("/api/v1/logs/histogram", response_model=LogHistogram, summary="Log volume over time")
async def log_histogram(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, query: LogQuery = ""
) -> Response:
    """Records that fit the query, per step of time and severity level."""
    tree = parse(query)
    question = question_of("log_histogram", tenant, span, "series", query=normal_form(tree))
    return await respond(request, question, lambda: state["logs"].histogram(tenant, tree, span))
