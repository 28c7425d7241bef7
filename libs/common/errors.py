"""The one error tree. Every failure a caller may see is a leaf here or in a service's own errors.py.

    AirisError
    ├── RequestError                          the caller can change something and succeed
    │   ├── InvalidRequest            400 invalid-request
    │   ├── InvalidQuery              400 invalid-query           position, expected
    │   ├── Unauthenticated           401 unauthenticated
    │   ├── Forbidden                 403 forbidden
    │   ├── NotFound                  404 not-found
    │   ├── MethodNotAllowed          405 method-not-allowed
    │   ├── RequestTimeout            408 request-timeout
    │   ├── Conflict                  409 conflict
    │   ├── PayloadTooLarge           413 payload-too-large
    │   ├── RecordTooLarge            413 record-too-large
    │   ├── UnsupportedMediaType      415 unsupported-media-type
    │   ├── QueryTooExpensive         422 query-too-expensive
    │   ├── RateLimited               429 rate-limited            retry_after
    │   ├── RequestHeadTooLarge       431 request-head-too-large
    │   └── ClientClosedRequest       499 client-closed-request   nobody reads this answer; it exists for log and metric
    ├── Unavailable                           something we depend on does not answer; retry later
    │   ├── BusUnavailable            503 bus-unavailable
    │   ├── CacheUnavailable          503 cache-unavailable
    │   ├── ControlStoreUnavailable   503 control-store-unavailable
    │   ├── ShuttingDown              503 shutting-down
    │   ├── StoreUnavailable          503 store-unavailable
    │   └── UpstreamUnavailable       503 upstream-unavailable
    ├── CommitFenced                  409 commit-fenced           the partition has a new owner; only consumers see it
    ├── QueryTimeout                  504 query-timeout
    ├── UpstreamTimeout               504 upstream-timeout
    └── InternalError                 500 internal                a bug of ours
        └── StoreRejected             500 store-rejected          the store understood and said no; trying again is vain

The id is permanent: it is the problem's `type` (RFC 9457), a metric label and the name of docs/runbooks/<id>.md.
An expected failure is never a 500, because a 500 calls a human.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class AirisError(Exception):
    """Root of the tree.

    `detail` says what happened this time and what to do about it; it is shown to the caller, so it never holds a secret
    or an address of an inner part. `retry_after` is seconds. `extra` holds further members of the problem document.
    """

    status: ClassVar[int] = 500
    id: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self, detail: str = "", *, retry_after: float | None = None, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.extra: dict[str, Any] = dict(extra or {})


class RequestError(AirisError):
    """The request cannot be answered as it stands. Raise a leaf."""

    status = 400
    id = "invalid-request"
    title = "Invalid request"


class InvalidRequest(RequestError):
    """400. `extra["errors"]` may list {"in": "query|path|header|body", "name", "reason"}."""


class InvalidQuery(RequestError):
    """400. The query text does not parse; `position` is a 0-based character offset, `expected` what would parse there."""

    id = "invalid-query"
    title = "Invalid query"

    def __init__(self, detail: str = "", *, position: int, expected: str) -> None:
        super().__init__(detail, extra={"position": position, "expected": expected})
        self.position = position
        self.expected = expected


class Unauthenticated(RequestError):
    """401. No identity, or one that does not hold."""

    status = 401
    id = "unauthenticated"
    title = "Not signed in"


class Forbidden(RequestError):
    """403. A valid identity without the needed scope or role."""

    status = 403
    id = "forbidden"
    title = "Not allowed"


class NotFound(RequestError):
    """404. No such route, or no such thing for this tenant."""

    status = 404
    id = "not-found"
    title = "Not found"


class MethodNotAllowed(RequestError):
    """405."""

    status = 405
    id = "method-not-allowed"
    title = "Method not allowed"


class RequestTimeout(RequestError):
    """408. Head or body did not arrive in time."""

    status = 408
    id = "request-timeout"
    title = "Request took too long to arrive"


class Conflict(RequestError):
    """409. The state changed, or the name is taken."""

    status = 409
    id = "conflict"
    title = "Conflict"


class PayloadTooLarge(RequestError):
    """413. The body, packed or unpacked, passes the limit."""

    status = 413
    id = "payload-too-large"
    title = "Payload too large"


class RecordTooLarge(RequestError):
    """413. One record passes what the bus takes; send smaller batches."""

    status = 413
    id = "record-too-large"
    title = "Record too large for the bus"


class UnsupportedMediaType(RequestError):
    """415. Content-Type or Content-Encoding we do not read."""

    status = 415
    id = "unsupported-media-type"
    title = "Unsupported media type"


class QueryTooExpensive(RequestError):
    """422. The query passes its memory or row cap; narrow the time range or the filter."""

    status = 422
    id = "query-too-expensive"
    title = "Query too expensive"


class RateLimited(RequestError):
    """429."""

    status = 429
    id = "rate-limited"
    title = "Too many requests"


class RequestHeadTooLarge(RequestError):
    """431. URL and headers together pass the limit."""

    status = 431
    id = "request-head-too-large"
    title = "Request head too large"


class ClientClosedRequest(RequestError):
    """499, nginx's number: the caller left before the answer."""

    status = 499
    id = "client-closed-request"
    title = "Client closed the request"


class Unavailable(AirisError):
    """503. Raise a leaf; `retry_after` defaults to 1 second so that every 503 tells callers when to come back."""

    status = 503
    id = "unavailable"
    title = "Temporarily unavailable"

    def __init__(
        self, detail: str = "", *, retry_after: float | None = 1.0, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after, extra=extra)


class BusUnavailable(Unavailable):
    """503. Kafka or Redis Streams did not take or give a record in time."""

    id = "bus-unavailable"
    title = "Event bus unavailable"


class CacheUnavailable(Unavailable):
    """503. Redis did not answer, where the answer cannot be had without it."""

    id = "cache-unavailable"
    title = "Cache unavailable"


class ControlStoreUnavailable(Unavailable):
    """503. SQLite or PostgreSQL did not answer, is busy, or has no schema yet."""

    id = "control-store-unavailable"
    title = "Control store unavailable"


class ShuttingDown(Unavailable):
    """503. This process is stopping and could not finish the request; another one answers the next try."""

    id = "shutting-down"
    title = "Shutting down"


class StoreUnavailable(Unavailable):
    """503. ClickHouse did not answer."""

    id = "store-unavailable"
    title = "Store unavailable"


class UpstreamUnavailable(Unavailable):
    """503. Another service of ours did not answer."""

    id = "upstream-unavailable"
    title = "Service unavailable"


class CommitFenced(AirisError):
    """409. The partition was given to another consumer; drop what was read from it, its new owner reads it again."""

    status = 409
    id = "commit-fenced"
    title = "Partition has a new owner"


class QueryTimeout(AirisError):
    """504. The query passed its time cap; narrow the time range or the filter."""

    status = 504
    id = "query-timeout"
    title = "Query timed out"


class UpstreamTimeout(AirisError):
    """504. Another service of ours took the request and did not answer in time."""

    status = 504
    id = "upstream-timeout"
    title = "Service timed out"


class InternalError(AirisError):
    """500. A bug of ours. The detail never says more than that; the log has the trace."""


class StoreRejected(InternalError):
    """500. The store refused a statement or a batch for what it is: our SQL or our rows are wrong.

    `code` and `name` are ClickHouse's (27, CANNOT_PARSE_INPUT_ASSERTION_FAILED), `reason` its text; they are for logs
    and dead letters and never shown to a caller.
    """

    id = "store-rejected"
    title = "The store refused the statement"

    def __init__(self, *, code: int | None = None, name: str | None = None, reason: str = "") -> None:
        super().__init__("The store refused the statement. It has been logged under the request id.")
        self.code = code
        self.name = name
        self.reason = reason
