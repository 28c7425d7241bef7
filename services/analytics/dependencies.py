"""What routes get: the state that the lifespan opened, the caller, and parameters that several endpoints share."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypedDict, cast

from fastapi import Depends, Query, Request, Response

from libs.common.auth.identity import CurrentIdentity
from libs.common.clock import Clock
from libs.common.web.disconnect import cancel_on_disconnect
from services.analytics.cache import Answers, Question
from services.analytics.log_search import LogSearch
from services.analytics.repository import TelemetryRepository
from services.analytics.settings import AnalyticsSettings
from services.analytics.time_range import TimeRange, read_range
from services.analytics.trace_search import TraceSearch


class State(TypedDict):
    """Made by the lifespan, read from `request.state`."""

    settings: AnalyticsSettings
    clock: Clock
    repository: TelemetryRepository
    answers: Answers
    traces: TraceSearch
    logs: LogSearch


def state_of(request: Request) -> State:
    """The lifespan's state."""
    return cast("State", request.scope["state"])


async def reading_tenant(identity: CurrentIdentity) -> str:
    """The tenant of the signed identity, the only place a tenant is read from. Raises Unauthenticated, Forbidden."""
    identity.require_scope("read")
    return identity.tenant


_TIME = "RFC 3339 with an offset (up to 9 fraction digits) or unix nanoseconds."


async def asked_range(
    request: Request,
    start: Annotated[
        str | None,
        Query(
            alias="from",
            description=f"Start, inclusive. {_TIME} An hour before `to` by default; at most 32 days before it.",
            examples=["2026-01-31T09:00:00+09:00", "1769817600000000000"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            alias="to", description=f"End, exclusive. {_TIME} Now by default.", examples=["2026-01-31T10:00:00+09:00"]
        ),
    ] = None,
) -> TimeRange:
    """Raises InvalidRequest, InvalidTimeRange."""
    return read_range(start, end, state_of(request)["clock"].now_ns())


CurrentState = Annotated[State, Depends(state_of)]
Tenant = Annotated[str, Depends(reading_tenant)]
AskedRange = Annotated[TimeRange, Depends(asked_range)]


async def respond(request: Request, question: Question, work: Callable[[], Awaitable[Mapping[str, Any]]]) -> Response:
    """The answer as JSON, from the cache where it holds; the store's work ends when the caller leaves."""
    answer = await cancel_on_disconnect(request, state_of(request)["answers"].get(question, work))
    headers = {"Cache-Control": "no-store", "X-Airis-Answer": answer.source}
    return Response(answer.body, media_type="application/json", headers=headers)


def question_of(endpoint: str, tenant: str, span: TimeRange, results: str, **parameters: Any) -> Question:
    """A question about a range; `results` is the list in the answer that is empty when nothing was found."""
    return Question(tenant, endpoint, {"from": span.start, "to": span.end, **parameters}, span.end, results)
