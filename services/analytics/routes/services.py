"""Rate, errors and duration per service."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.analytics import red
from services.analytics.dependencies import AskedRange, CurrentState, Tenant, question_of, respond
from services.analytics.schemas import OperationList, ServiceDetail, ServiceList

router = APIRouter(tags=["services"])
ServiceName = Annotated[str, Path(description="Resource attribute service.name.", examples=["checkout"])]


@router.get("/api/v1/services", response_model=ServiceList, summary="Services and how they do")
async def list_services(request: Request, state: CurrentState, tenant: Tenant, span: AskedRange) -> Response:
    """Every service that sent spans in the range, with the numbers of its entry spans: SERVER and CONSUMER, or without a parent."""
    question = question_of("services", tenant, span, "services")
    return await respond(request, question, lambda: red.services(state["repository"], tenant, span))


# A service's name may hold slashes, so the longer path goes first.
@router.get(
    "/api/v1/services/{service:path}/operations", response_model=OperationList, summary="Operations of a service"
)
async def list_operations(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, service: ServiceName
) -> Response:
    """Span names with their numbers, busiest first; outgoing and inner spans included, told apart by `kind`."""
    question = question_of("operations", tenant, span, "operations", service=service)
    return await respond(request, question, lambda: red.operations(state["repository"], tenant, span, service))


@router.get("/api/v1/services/{service:path}", response_model=ServiceDetail, summary="One service in detail")
async def get_service(
    request: Request, state: CurrentState, tenant: Tenant, span: AskedRange, service: ServiceName
) -> Response:
    """Numbers of the service's entry spans with a finer series. A service that sent nothing in the range has zeros."""
    question = question_of("service", tenant, span, "request_count", service=service)
    return await respond(request, question, lambda: red.service(state["repository"], tenant, span, service))
