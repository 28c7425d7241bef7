"""Headers that every response gets, whoever made it."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXTRA = "airis.gateway.response_headers"

# For the UI, unless it brings its own: only what we serve ourselves, nothing inline, nobody frames us.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# For answers that are data: a browser that is made to open one as a page may do nothing with it.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_ALWAYS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def add_response_header(scope: Scope, name: str, value: str) -> None:
    """Have the response to this request carry the header, also when it turns out to be a problem."""
    scope.setdefault(_EXTRA, []).append((name.lower().encode("ascii"), value.encode("latin-1")))


class ResponseHeadersMiddleware:
    """Security headers where the response does not set them itself, and what `add_response_header` collected."""

    def __init__(self, app: ASGIApp, *, transport_security: bool) -> None:
        self._app = app
        self._transport_security = transport_security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        extra: list[tuple[bytes, bytes]] = scope.setdefault(_EXTRA, [])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra, *self._missing(scope, message)]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _missing(self, scope: Scope, message: Message) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in message.get("headers", ())}
        policy, cached = DATA_POLICY, None
        if scope["path"].startswith("/api/"):
            cached = b"no-store"  # what one tenant sees is for no shared cache
        elif not scope["path"].startswith("/v1/"):
            policy = PAGE_POLICY
        wanted = {**_ALWAYS, b"content-security-policy": policy.encode("ascii")}
        if cached is not None:
            wanted[b"cache-control"] = cached
        if self._transport_security:
            wanted.update([_TRANSPORT_SECURITY])
        return [(name, value) for name, value in wanted.items() if name not in present]
