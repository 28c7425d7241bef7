"""What browsers are told about pages of other origins. Source: fetch.spec.whatwg.org, "CORS protocol".

Credentials are never allowed: a page sends its key in a header, so a cookie of the user's never counts, and the key, not
the origin, says whose data it is.
"""

import re
from collections.abc import Callable

Headers = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EXPOSE = (b"access-control-expose-headers", b"retry-after, x-request-id")


class Cors:
    """Answers for lists of origins and request headers, comma-separated, in which `*` stands for any text."""

    def __init__(self, origins: str, headers: str) -> None:
        self._any_origin = "*" in [origin.strip() for origin in origins.split(",")]
        self._origin_allowed = _matcher(origins)
        self._header_allowed = _matcher(headers)

    def answer(self, asked: dict[bytes, bytes]) -> Headers:
        """Headers of an answer to a request with these headers."""
        if self._any_origin:
            return [(b"access-control-allow-origin", b"*"), _EXPOSE]
        origin = asked.get(b"origin", b"")
        vary = (b"vary", b"origin")
        return [(b"access-control-allow-origin", origin), _EXPOSE, vary] if self._origin_allowed(origin) else [vary]

    def preflight(self, asked: dict[bytes, bytes]) -> Headers:
        """Headers of the answer to an OPTIONS request: of the headers it names, those that may be sent.

        They are named one by one, because `*` in an answer does not stand for `authorization`.
        """
        named = [name.strip() for name in asked.get(b"access-control-request-headers", b"").split(b",")]
        allowed = [name for name in named if _TOKEN.fullmatch(name) and self._header_allowed(name)]
        return [
            *self.answer(asked),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", b", ".join(allowed)),
            (b"access-control-max-age", b"7200"),
            (b"vary", b"access-control-request-headers"),
        ]


def _matcher(patterns: str) -> Callable[[bytes], bool]:
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    forms = ["".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", each)) for each in wanted]
    compiled = re.compile("|".join(forms).encode(), re.IGNORECASE)
    return lambda text: bool(wanted) and compiled.fullmatch(text) is not None
