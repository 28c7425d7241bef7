"""Parameters that several endpoints take."""

from typing import Annotated

from fastapi import Query

from libs.common.query import Query as ParsedQuery
from libs.common.query import to_text

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
