"""Names in paths: match routes on the path as the client wrote it, and decode each name once.

A server decodes a path before it is matched, so that `/services/a%2Fb` and `/services/a/b` are one, a name with a newline
matches no route, and `x%2Foperations` is taken for the operations of `x`. Whatever a store accepts as a name is reached only
if slashes that separate and slashes that belong to a name stay two things: routes are matched on the raw path, and a
parameter `{name:segment}` is decoded when it has been cut out. Nothing is ever normalised.
"""

from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

# The two names that clients resolve before they send them, however they are encoded (WHATWG URL, 4.4).
DOT_SEGMENTS = frozenset({".", ".."})


class RawPathMiddleware:
    """Puts the raw path in the place of the decoded one, for paths below one of `prefixes`."""

    def __init__(self, app: ASGIApp, *, prefixes: tuple[str, ...] = ("/",)) -> None:
        self._app = app
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = raw_path(scope)
            if raw.startswith(self._prefixes):
                scope["path"] = raw
        await self._app(scope, receive, send)


def raw_path(scope: Scope) -> str:
    """The request's path without its query, percent-encoded as it came."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.decode("latin-1")


class Segment(Convertor[str]):
    """One segment, decoded: `a%2Fb` is the name `a/b`, and nothing between two slashes is the empty name."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


class Rest(Segment):
    """All that is left of the path, for names whose slashes were not encoded."""

    regex = ".*"


register_url_convertor("segment", Segment())
register_url_convertor("rest", Rest())
