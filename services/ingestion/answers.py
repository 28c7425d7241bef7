"""Answers in OTLP's forms: partial successes, and errors as google.rpc.Status.

Source: OTLP 1.x, "OTLP/HTTP Response", "Failures", "Retryable Response Codes", and google/rpc/{status,error_details}.proto.
"""

from typing import Any

import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from libs.common.errors import AirisError
from libs.common.web.problems import problem_document
from services.ingestion.intake import Outcome
from services.ingestion.otlp import ExportService

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# What makes a gRPC sender try again: UNAVAILABLE, CANCELLED, and RESOURCE_EXHAUSTED when RetryInfo stands beside it.
_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.CANCELLED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
}


def success_protobuf(service: ExportService, outcome: Outcome) -> bytes:
    """An ExportXServiceResponse; no bytes at all when everything was accepted."""
    if not outcome.rejected and not outcome.message:
        return b""
    partial = {service.rejected_field: outcome.rejected, "error_message": outcome.message}
    return service.response(partial_success=partial).SerializeToString()


def success_json(service: ExportService, outcome: Outcome) -> bytes:
    """The same in proto3 JSON, where 64-bit integers are strings and zeros are left out."""
    if not outcome.rejected and not outcome.message:
        return b"{}"
    partial: dict[str, Any] = {"errorMessage": outcome.message}
    if outcome.rejected:
        head, *tail = service.rejected_field.split("_")
        partial[head + "".join(word.capitalize() for word in tail)] = str(outcome.rejected)
    return orjson.dumps({"partialSuccess": partial})


def rpc_status(error: AirisError) -> Status:
    """The error as google.rpc.Status: ErrorInfo holds its id, RetryInfo when to come back."""
    status = Status(code=_CODES.get(error.status, Code.INTERNAL), message=error.detail)
    status.details.add().Pack(ErrorInfo(reason=error.id.upper().replace("-", "_"), domain="airis-mon"))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def error_json(error: AirisError, *, instance: str, request_id: str) -> bytes:
    """One document that is both a google.rpc.Status and a problem of RFC 9457; they share no member."""
    document = problem_document(error, instance=instance, request_id=request_id)
    return orjson.dumps(
        {"code": _CODES.get(error.status, Code.INTERNAL), "message": error.detail, **document}, default=str
    )
