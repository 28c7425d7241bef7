"""Where a request comes from: the client's address and scheme, and whether a browser sent it from our own pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from services.api_gateway.errors import CrossSiteRequest

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ClientOrigin:
    """`address` and `scheme` as the client had them; `forwarded_for` is what upstreams are told."""

    address: str
    scheme: str
    host: str
    forwarded_for: str


def client_origin(connection: HTTPConnection, trusted: Sequence[IPv4Network | IPv6Network] = ()) -> ClientOrigin:
    """The client behind `trusted` proxies, whose X-Forwarded-* alone are believed.

    The address is the last one of X-Forwarded-For that is not a trusted proxy: what stands before it was written by
    the client and may say anything.
    """
    peer = connection.client.host if connection.client else ""
    scheme, host = connection.scope.get("scheme", "http"), connection.headers.get("host", "")
    if not _is_trusted(peer, trusted):
        return ClientOrigin(peer, scheme, host, peer)
    claimed = [part.strip() for value in connection.headers.getlist("x-forwarded-for") for part in value.split(",")]
    chain = [peer]
    for hop in reversed(claimed):
        if _address(hop) is None:
            break
        chain.append(hop)
        if not _is_trusted(hop, trusted):
            break
    proto = connection.headers.get("x-forwarded-proto", "").strip().lower()
    forwarded_host = connection.headers.get("x-forwarded-host", "").strip()
    return ClientOrigin(
        chain[-1],
        proto if proto in {"http", "https"} else scheme,
        forwarded_host or host,
        ", ".join(reversed(chain)),
    )


def require_same_site(headers: Headers, host: str, *, proof: bool) -> None:
    """Refuse what a foreign page made a browser send. Raises CrossSiteRequest.

    `Sec-Fetch-Site` cannot be set by scripts and is in every browser since 2023; `Origin` serves the older ones. With
    `proof`, a request with neither is refused as well: it carries the session's cookie, and so comes from a browser.
    """
    fetch_site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if fetch_site is not None:
        if fetch_site == "same-origin":
            return
    elif origin is not None:
        if _same_host(origin, host):
            return
    elif not proof:
        return
    raise CrossSiteRequest(
        "Changes with a session cookie must come from our own pages, with Sec-Fetch-Site: same-origin or a matching "
        "Origin. Scripts use an API key: 'Authorization: Bearer <key>'."
    )


def _same_host(origin: str, host: str) -> bool:
    # Only host and port: behind a proxy that ends TLS our own scheme is not the browser's.
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and parts.netloc.lower() == host.lower()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_trusted(text: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)
