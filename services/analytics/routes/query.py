"""Structured queries, as text in a URL or as JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.common.query.forms import QueryForm, from_form
from libs.common.query.structured import StructuredQuery
from libs.common.query.structured_parser import parse_structured
from services.analytics.dependencies import AskedRange, CurrentState, State, Tenant, question_of, respond
from services.analytics.schemas import QueryAnswer
from services.analytics.structured_query import StructuredQueries
from services.analytics.time_range import TimeRange, read_range

router = APIRouter(tags=["query"])
_EXAMPLE = "service=checkout status=error | p95(duration), count() by http.route | having count() > 10 | top 10"


class QueryRequest(BaseModel):
    """A structured query, as text or in its JSON form, and the range it asks about."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(max_length=4096, examples=[_EXAMPLE])] | QueryForm
    start: str | None = Field(default=None, alias="from", description="As the parameter of `GET`.")
    end: str | None = Field(default=None, alias="to", description="As the parameter of `GET`.")


@router.get("/api/v1/query", response_model=QueryAnswer, summary="Ask a structured query")
async def ask_query(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    q: Annotated[str, Query(description="The query's text form.", max_length=4096, examples=[_EXAMPLE])],
) -> Response:
    """A table of groups and their aggregates, with series and comparison where they are asked for."""
    return await _respond(request, state, tenant, parse_structured(q), span)


@router.post("/api/v1/query", response_model=QueryAnswer, summary="Ask a structured query in JSON")
async def post_query(
    request: Request, state: CurrentState, tenant: Tenant, asked: Annotated[QueryRequest, Body()]
) -> Response:
    """As `GET`, for queries that a program builds or that are too long for a URL."""
    query = parse_structured(asked.query) if isinstance(asked.query, str) else from_form(asked.query)
    span = read_range(asked.start, asked.end, state["clock"].now_ns())
    return await _respond(request, state, tenant, query, span)


async def _respond(request: Request, state: State, tenant: str, query: StructuredQuery, span: TimeRange) -> Response:
    queries, now = StructuredQueries(state["repository"]), state["clock"].now_ns()

    async def work() -> dict[str, Any]:
        return await queries.answer(tenant, query, span, now)

    return await respond(request, question_of("query", tenant, span, "rows", query=str(query)), work)
