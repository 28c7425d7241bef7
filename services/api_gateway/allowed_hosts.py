"""Under which names we answer. A page whose own name is pointed at this machine (DNS rebinding) sends that name.

Bare addresses are always let in: no page can have one as its name, and probes and people on the same network use them.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common.auth.key_feed import PATH as KEY_FEED
from services.api_gateway.client_origin import client_origin
from services.api_gateway.errors import UnknownHost


class AllowedHostsMiddleware:
    """421 for names that are not ours. Probes go by any name, and so do our own services, which sign what they ask."""

    def __init__(
        self, app: ASGIApp, *, allowed: Sequence[str], trusted_proxies: Sequence[IPv4Network | IPv6Network]
    ) -> None:
        self._app = app
        self._allowed = tuple(host.lower().rstrip(".") for host in allowed)
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _goes_by_any_name(scope["path"]):
            host = client_origin(HTTPConnection(scope), self._trusted_proxies).host
            if not is_allowed(host, self._allowed):
                raise UnknownHost(
                    f"This gateway does not go by the name {host[:100]!r}. Use http://localhost with its port, or set "
                    "AIRIS_GATEWAY_ALLOWED_HOSTS to the names people use."
                )
        await self._app(scope, receive, send)


def is_allowed(host: str, allowed: Sequence[str]) -> bool:
    """Whether a Host header's value, with or without port, is a loopback name, a bare address, or `allowed` (lower case)."""
    name = _name(host)
    if name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return True
    return any(
        entry in {"*", name} or (entry.startswith(".") and (name.endswith(entry) or name == entry[1:]))
        for entry in allowed
        if name
    )


def _name(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _goes_by_any_name(path: str) -> bool:
    return path in {"/livez", "/readyz"} or path.startswith(KEY_FEED)
