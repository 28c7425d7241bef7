"""Trace search, the heat map above it, and whole traces."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from libs.common.query import parse
from services.analytics.cache import Question
from services.analytics.cursors import TraceCursor
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.routes.parameters import Cursor, SpanQuery, normal_form, whole_trace_id
from services.analytics.schemas import DurationHeatMap, Trace, TraceList

router = APIRouter(tags=["traces"])


@router.get("/api/v1/traces", response_model=TraceList, summary="Search traces")
async def search_traces(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    query: SpanQuery = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Cursor = None,
) -> Response:
    """Traces of which at least one span in the range fits the whole query, newest first by the earliest such span."""
    tree = parse(query, traces=True)
    place = TraceCursor.decode(cursor) if cursor else None
    question = question_of(
        "traces", tenant, span, "traces", query=normal_form(tree), limit=limit, cursor=place.encode() if place else ""
    )
    return await respond(request, question, lambda: state["traces"].search(tenant, tree, span, limit, place))


@router.get("/api/v1/traces/durations", response_model=DurationHeatMap, summary="Durations over time")
async def trace_durations(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, query: SpanQuery = ""
) -> Response:
    """Heat map of the spans that fit the query, by start and duration."""
    tree = parse(query, traces=True)
    question = question_of("trace_durations", tenant, span, "counts", query=normal_form(tree))
    return await respond(request, question, lambda: state["traces"].durations(tenant, tree, span))


@router.get("/api/v1/traces/{trace_id:segment}", response_model=Trace, summary="One trace")
async def get_trace(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    trace_id: Annotated[
        str,
        Path(
            description="Hex digits: upper case, dashes and `0x` do not matter, leading zeros may be missing.",
            examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
            max_length=128,
        ),
    ],
) -> Response:
    """Every field of every span, as sent. Needs no time range."""
    wanted = whole_trace_id(trace_id)

    async def work() -> dict[str, Any]:
        return await state["traces"].trace(tenant, wanted, state["settings"].max_trace_spans)

    # A trace asked for is mostly one that just happened and may still grow.
    question = Question(tenant, "trace", {"trace_id": wanted}, state["clock"].now_ns(), "spans")
    return await respond(request, question, work)
