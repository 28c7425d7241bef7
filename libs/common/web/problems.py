"""Errors as RFC 9457 problem documents, one form for every way a request can fail."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from libs.common.errors import (
    AirisError,
    Conflict,
    Forbidden,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthenticated,
    UnsupportedMediaType,
)

MEDIA_TYPE = "application/problem+json"
# Starlette and FastAPI raise plain HTTP errors; these are the tree's leaves for them.
_BY_STATUS: Mapping[int, type[AirisError]] = {
    error.status: error
    for error in (
        InvalidRequest,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        PayloadTooLarge,
        UnsupportedMediaType,
        RateLimited,
    )
}


class ProblemResponse(Response):
    """application/problem+json."""

    media_type = MEDIA_TYPE


def problem_document(error: AirisError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The members of the problem: type, title, status, detail, instance, request_id, then the error's extra.

    `instance` is the request path. An extra member cannot replace a standard one.
    """
    return {
        **error.extra,
        "type": f"urn:airis:error:{error.id}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "request_id": request_id,
    }


def problem_response(error: AirisError, *, instance: str, request_id: str) -> ProblemResponse:
    """The rendered problem with `Retry-After` (whole seconds, rounded up) and, on 401, `WWW-Authenticate`."""
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == Unauthenticated.status:
        headers["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(problem_document(error, instance=instance, request_id=request_id), default=str)
    return ProblemResponse(body, status_code=error.status, headers=headers)


def as_airis_error(error: Exception) -> AirisError:
    """The tree's leaf for any exception a request ends with; InternalError for what nobody expected."""
    if isinstance(error, AirisError):
        return error
    if isinstance(error, HTTPException) and isinstance(error.__cause__, AirisError):
        return error.__cause__  # FastAPI makes "error parsing the body" of whatever reading it raised
    if isinstance(error, RequestValidationError):
        return _from_validation(error.errors())
    if isinstance(error, HTTPException):
        leaf = _BY_STATUS.get(error.status_code)
        if leaf is None:
            return InternalError() if error.status_code >= 500 else InvalidRequest(str(error.detail))
        # Starlette's default details are the bare status phrase, which says less than our title.
        detail = str(error.detail)
        return leaf("" if detail.lower() == leaf.title.lower() else detail)
    return InternalError("An unexpected error occurred. It has been logged under the request id.")


def install_problem_handlers(app: FastAPI) -> None:
    """Render our errors, FastAPI's validation errors and Starlette's HTTP errors as problems."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = as_airis_error(error)
        request.scope["airis.error"] = problem
        response = problem_response(
            problem, instance=request.url.path, request_id=request.scope.get("airis.request_id", "")
        )
        if isinstance(error, HTTPException) and "allow" in (
            carried := {key.lower(): value for key, value in (error.headers or {}).items()}
        ):
            response.headers["Allow"] = carried["allow"]
        return response

    for kind in (AirisError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


def _from_validation(errors: Sequence[Any]) -> InvalidRequest:
    # The rejected input stays out: it may be a password, and the caller knows what it sent.
    listed = []
    for entry in errors:
        place, *path = [str(part) for part in entry.get("loc", ())] or ["body"]
        listed.append({"in": place, "name": ".".join(path), "reason": entry.get("msg", "is not valid")})
    first = listed[0] if listed else {"in": "request", "name": "", "reason": "is not valid"}
    name = f"{first['in']} {first['name']}".strip()
    more = f" ({len(listed) - 1} more in errors)" if len(listed) > 1 else ""
    return InvalidRequest(f"{name}: {first['reason']}{more}", extra={"errors": listed})
