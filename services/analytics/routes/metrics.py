"""The catalogue of metrics, and the points of one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from libs.common.query import Comparison, Key, Value, conjunction, parse
from services.analytics import metric_series
from services.analytics.cursors import PointCursor
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.routes.parameters import Cursor, PointQuery, normal_form
from services.analytics.schemas import MetricList, MetricPoints

router = APIRouter(tags=["metrics"])
PageLimit = Annotated[int, Query(ge=1, le=9999, description="Points in a page, over all its series.")]
OnlyService = Annotated[str | None, Query(description="Only points of this service.", examples=["checkout"])]


@router.get("/api/v1/metrics", response_model=MetricList, summary="List metrics")
async def list_metrics(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    service: OnlyService = None,
    query: Annotated[str, Query(description="Part of the metric's name, whatever its case.", max_length=256)] = "",
) -> Response:
    """Metrics with points on the days of the range."""
    question = question_of("metrics", tenant, span, "metrics", service=service, query=query)
    return await respond(
        request, question, lambda: metric_series.catalogue(state["repository"], tenant, span, service, query)
    )


@router.get(
    "/api/v1/metric",
    response_model=MetricPoints,
    response_model_exclude_unset=True,
    summary="Points of a metric, by parameter",
)
async def get_metric_by_parameter(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    name: Annotated[str, Query(description="The metric's whole name.", examples=["http.server.request.duration"])],
    service: OnlyService = None,
    query: PointQuery = "",
    limit: PageLimit = 5000,
    cursor: Cursor = None,
) -> Response:
    """As `/api/v1/metrics/{name}`, for names that cannot be part of a path."""
    return await get_metric(request, state, tenant, span, name, service, query, limit, cursor)


@router.get(
    "/api/v1/metrics/{name:rest}",
    response_model=MetricPoints,
    response_model_exclude_unset=True,
    summary="Points of a metric",
)
async def get_metric(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    name: Annotated[
        str,
        Path(
            description="The metric's whole name, percent-encoded; any name.", examples=["http.server.request.duration"]
        ),
    ],
    service: OnlyService = None,
    query: PointQuery = "",
    limit: PageLimit = 5000,
    cursor: Cursor = None,
) -> Response:
    """Every series of the metric with its points as sent, exemplars included."""
    tree = parse(query)
    if service is not None:
        of_service = Comparison(Key("service"), "=", Value(service, quoted=True))
        tree = conjunction([of_service, tree]) if tree is not None else of_service
    place = PointCursor.decode(cursor) if cursor else None
    question = question_of(
        "metric", tenant, span, "series",
        name=name, query=normal_form(tree), limit=limit, cursor=place.encode() if place else "",
    )  # fmt: skip
    return await respond(
        request,
        question,
        lambda: metric_series.points(state["repository"], tenant, name, tree, span, limit, place),
    )
