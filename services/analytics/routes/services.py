"""Rate, errors and duration per service."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.analytics import red
from services.analytics.cursors import PageCursor
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.routes.parameters import Cursor
from services.analytics.schemas import OperationList, ServiceDetail, ServiceList

router = APIRouter(tags=["services"])
_NAME = "Resource attribute service.name."
ServiceName = Annotated[str, Path(description=f"{_NAME} Percent-encoded; any name.", examples=["checkout"])]
AskedName = Annotated[
    str,
    Query(alias="name", description=f"{_NAME} Any name, `.` and `..` and the empty one too.", examples=["checkout"]),
]


@router.get("/api/v1/services", response_model=ServiceList, summary="Services and how they do")
async def list_services(request: Request, state: CurrentState, tenant: Tenant, span: AskedRange) -> Response:
    """Every service that sent spans in the range, with the numbers of its entry spans: SERVER and CONSUMER, or without a parent."""
    question = question_of("services", tenant, span, "services")
    return await respond(request, question, lambda: red.services(state["repository"], tenant, span))


@router.get("/api/v1/service", response_model=ServiceDetail, summary="One service in detail, by parameter")
async def get_service_by_parameter(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, service: AskedName
) -> Response:
    """As `/api/v1/services/{service}`, for names that cannot be part of a path."""
    return await get_service(request, state, tenant, span, service)


@router.get("/api/v1/service/operations", response_model=OperationList, summary="Operations of a service, by parameter")
async def list_operations_by_parameter(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    service: AskedName,
    cursor: Cursor = None,
) -> Response:
    """As `/api/v1/services/{service}/operations`, for names that cannot be part of a path."""
    return await list_operations(request, state, tenant, span, service, cursor)


# Only a slash that was written as one separates: `x%2Foperations` is a service, and so is the `team/x` of `team/x/operations`.
@router.get(
    "/api/v1/services/{service:rest}/operations", response_model=OperationList, summary="Operations of a service"
)
async def list_operations(
    request: Request,
    state: CurrentState,
    tenant: Tenant,
    span: AskedRange,
    service: ServiceName,
    cursor: Cursor = None,
) -> Response:
    """Span names with their numbers, busiest first; outgoing and inner spans included, told apart by `kind`."""
    offset = PageCursor.decode(cursor).offset if cursor else 0
    question = question_of("operations", tenant, span, "operations", service=service, offset=offset)
    return await respond(request, question, lambda: red.operations(state["repository"], tenant, span, service, offset))


@router.get("/api/v1/services/{service:rest}", response_model=ServiceDetail, summary="One service in detail")
async def get_service(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, service: ServiceName
) -> Response:
    """Numbers of the service's entry spans with a finer series. A service that sent nothing in the range has zeros."""
    question = question_of("service", tenant, span, "request_count", service=service)
    return await respond(request, question, lambda: red.service(state["repository"], tenant, span, service))
