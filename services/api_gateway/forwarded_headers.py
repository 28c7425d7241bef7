"""Which headers cross the gateway, in both directions."""

from collections.abc import Iterable, Sequence

from libs.common import tracing
from libs.common.auth.identity import IDENTITY_HEADER
from services.api_gateway.client_origin import ClientOrigin

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1, and the older ones that still occur. They are about one connection, and we have two.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_IDENTITY = IDENTITY_HEADER.lower().encode("ascii")
# Written by us alone: whoever else sent them would be believed. `cookie` holds the session, which is nobody else's
# business; `expect` was answered by our server.
_OURS = frozenset(
    {
        b"host",
        b"cookie",
        b"expect",
        b"forwarded",
        b"x-real-ip",
        b"x-request-id",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
    }
)
# Our server writes its own date; cookies are set by the gateway only.
_NOT_RETURNED = _HOP_BY_HOP | {b"date", b"server", b"set-cookie", b"x-request-id", _IDENTITY}


def request_headers(
    inbound: Iterable[tuple[bytes, bytes]],
    *,
    host: bytes,
    origin: ClientOrigin,
    request_id: str,
    identity: str | None = None,
    keep_authorization: bool = False,
) -> Headers:
    """What the upstream gets. `identity` is a signed token; the client's own Authorization only where it is wanted."""
    inbound = list(inbound)
    dropped = _HOP_BY_HOP | _OURS | _named_by_connection(inbound)
    if not keep_authorization:
        dropped |= {b"authorization"}
    headers = [(b"host", host)]
    headers += [
        (name, value) for name, value in inbound if (lower := name.lower()) not in dropped and not _is_identity(lower)
    ]
    carrier: dict[str, str] = {}
    tracing.inject(carrier)
    if carrier:
        headers = [(name, value) for name, value in headers if name.lower() not in {b"traceparent", b"tracestate"}]
    added = {
        **carrier,
        "x-request-id": request_id,
        "x-forwarded-for": origin.forwarded_for,
        "x-forwarded-proto": origin.scheme,
        "x-forwarded-host": origin.host,
    }
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in added.items() if value]
    if identity is not None:
        headers.append((_IDENTITY, identity.encode("ascii")))
    return headers


def response_headers(upstream: Sequence[tuple[bytes, bytes]], *, base_url: str, bodyless: bool) -> Headers:
    """What the client gets, names in lower case as ASGI wants them.

    A redirect to the upstream's own `base_url` becomes one to us. `bodyless` is for 204 and 304, whose Content-Length
    speaks of a body that is not sent.
    """
    dropped = _NOT_RETURNED | _named_by_connection(upstream)
    if bodyless:
        dropped |= {b"content-length"}
    prefix = base_url.rstrip("/").encode("ascii")
    return [
        (lower, value.removeprefix(prefix) if lower == b"location" and value.startswith(prefix + b"/") else value)
        for name, value in upstream
        if (lower := name.lower()) not in dropped
    ]


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Headers that `Connection` declares to be hop-by-hop."""
    return frozenset(
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    )


def _is_identity(name: bytes) -> bool:
    # An upstream behind a CGI-like server would read `x_airis_identity` as the same header.
    return name.replace(b"_", b"-") == _IDENTITY
