"""Errors as google.rpc.Status, and as one document that is that and a problem of RFC 9457.

Source: OTLP 1.x, "Failures", "Retryable Response Codes", and google/rpc/{status,error_details}.proto.
"""

import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from libs.common.errors import AirisError
from libs.common.web.problems import problem_document

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


def rpc_status(error: AirisError) -> Status:
    """The error as google.rpc.Status: ErrorInfo holds its id, RetryInfo when to come back."""
    status = Status(code=_CODES.get(error.status, Code.INTERNAL), message=error.detail)
    status.details.add().Pack(ErrorInfo(reason=error.id.upper().replace("-", "_"), domain="airis-mon"))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def failure_protobuf(error: AirisError, _path: str, _request_id: str) -> bytes:
    """A google.rpc.Status."""
    content: bytes = rpc_status(error).SerializeToString()
    return content


def failure_json(error: AirisError, path: str, request_id: str) -> bytes:
    """One document that is both a google.rpc.Status and a problem of RFC 9457; they share no member."""
    document = problem_document(error, instance=path, request_id=request_id)
    return orjson.dumps(
        {"code": _CODES.get(error.status, Code.INTERNAL), "message": error.detail, **document}, default=str
    )
