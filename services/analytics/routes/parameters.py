"""Parameters that several endpoints take."""

from typing import Annotated

from fastapi import Query

from libs.common.errors import InvalidQuery, InvalidRequest
from libs.common.query import Query as ParsedQuery
from libs.common.query import Value, to_text
from libs.common.query.literals import identifier_hex

TRACE_DIGITS = 32
_LANGUAGE = "Query language, see above. Empty: everything."
SpanQuery = Annotated[
    str,
    Query(
        alias="query",
        description=f"{_LANGUAGE} Words search span names.",
        examples=["service=checkout status=error duration>200ms"],
    ),
]
LogQuery = Annotated[
    str,
    Query(
        alias="query",
        description=f"{_LANGUAGE} Words search bodies.",
        examples=['service=checkout severity>=warn "timed out"'],
    ),
]
PointQuery = Annotated[
    str,
    Query(
        alias="query",
        description=f"{_LANGUAGE} Filters by attributes, `resource.<key>`, `service`, `scope.name`, `scope.version`.",
        examples=["http.route=/cart resource.host.name=web-1"],
    ),
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=1024)]


def normal_form(query: ParsedQuery | None) -> str:
    """One text for all spellings of a query, for the cache."""
    return to_text(query) if query is not None else ""


def whole_trace_id(text: str) -> str:
    """A trace id as somebody wrote it, as 32 hex digits. Raises InvalidRequest."""
    try:
        whole = identifier_hex(Value(text), TRACE_DIGITS)[-1]
    except InvalidQuery:
        whole = ""
    if len(whole) != TRACE_DIGITS:
        reason = f"must be up to {TRACE_DIGITS} hexadecimal digits, as in 4bf92f3577b34da6a3ce929d0e0e4736"
        raise InvalidRequest(
            f"trace_id: {reason}.", extra={"errors": [{"in": "path", "name": "trace_id", "reason": reason}]}
        )
    return whole
