"""This service's leaves of the error tree (libs/common/errors.py).

RequestError
├── InvalidTimeRange   400 invalid-time-range
├── InvalidCursor      400 invalid-cursor
└── NotFound
    └── TraceNotFound  404 trace-not-found
"""

from libs.common.errors import NotFound, RequestError


class InvalidTimeRange(RequestError):
    """400. `from` is not before `to`, or they are further apart than data is kept."""

    id = "invalid-time-range"
    title = "Invalid time range"


class InvalidCursor(RequestError):
    """400. The cursor was not made by this endpoint. Start again without one."""

    id = "invalid-cursor"
    title = "Invalid cursor"


class TraceNotFound(NotFound):
    """404. The tenant has no span of this trace: never sent, not yet stored, or expired."""

    id = "trace-not-found"
    title = "Trace not found"
