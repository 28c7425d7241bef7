"""Who asks: the gateway signs an identity for each request it forwards, services believe nothing else.

The token is a JWT, HS256, valid for 60 s: long enough for clock skew and a slow hop, short enough that a logged or
stolen one is worthless. It travels in `X-Airis-Identity`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr

from libs.common.clock import Clock, SystemClock
from libs.common.errors import Forbidden, Unauthenticated
from libs.common.settings import IdentitySettings

IDENTITY_HEADER = "X-Airis-Identity"
ISSUER = "airis-gateway"
LIFETIME_SECONDS = 60
_SKEW_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller. `subject` is `user:<id>` or `key:<key id>`; `tenant` bounds all data it may see."""

    subject: str
    tenant: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    def require_scope(self, scope: str) -> None:
        """Raises Forbidden without `scope`."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope '{scope}'. Use a key or a user that has it.")

    def require_role(self, role: str) -> None:
        """Raises Forbidden without `role`."""
        if role not in self.roles:
            raise Forbidden(f"This needs the role '{role}'. Ask an administrator of the tenant.")


def sign_identity(identity: Identity, secret: SecretStr, clock: Clock) -> str:
    """A compact JWT, valid for 60 s from the clock's now."""
    issued = clock.now_ns() // 1_000_000_000
    claims = {
        "iss": ISSUER,
        "sub": identity.subject,
        "tenant": identity.tenant,
        "roles": sorted(identity.roles),
        "scopes": sorted(identity.scopes),
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
    }
    return jwt.encode(claims, secret.get_secret_value(), algorithm="HS256")


def verify_identity(token: str, secret: SecretStr, clock: Clock) -> Identity:
    """The identity a token was signed for. Raises Unauthenticated when anything about it does not hold."""
    try:
        claims = jwt.decode(
            token,
            secret.get_secret_value(),
            algorithms=["HS256"],
            issuer=ISSUER,
            # Times are checked below because PyJWT can only ask the machine's clock.
            options={
                "require": ["iss", "sub", "tenant", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError:
        raise Unauthenticated("The identity token is not valid. Requests must come through the gateway.") from None
    _check_times(claims, clock.now_ns() / 1e9)
    tenant, subject = claims["tenant"], claims["sub"]
    if not (isinstance(tenant, str) and tenant and isinstance(subject, str) and subject):
        raise Unauthenticated("The identity token names no tenant or no subject.")
    return Identity(subject, tenant, _strings(claims.get("roles", [])), _strings(claims.get("scopes", [])))


def install_identity(app: FastAPI, settings: IdentitySettings, clock: Clock | None = None) -> None:
    """Let `require_identity` work on this application. Call in `create_app`."""
    app.state.identity_secret = settings.secret
    app.state.identity_clock = clock or SystemClock()


async def require_identity(request: Request) -> Identity:
    """FastAPI dependency: the caller, from the gateway's signature alone. Raises Unauthenticated."""
    token = request.headers.get(IDENTITY_HEADER)
    if not token:
        raise Unauthenticated("Sign in, or send an API key as 'Authorization: Bearer <key>', at the gateway.")
    return verify_identity(token, request.app.state.identity_secret, request.app.state.identity_clock)


CurrentIdentity = Annotated[Identity, Depends(require_identity)]


def _check_times(claims: dict[str, Any], now: float) -> None:
    issued, expires = claims["iat"], claims["exp"]
    if not (isinstance(issued, int | float) and isinstance(expires, int | float)):
        raise Unauthenticated("The identity token's times are not numbers.")
    if now >= expires + _SKEW_SECONDS:
        raise Unauthenticated("The identity token has expired.")
    if issued > now + _SKEW_SECONDS or expires - issued > LIFETIME_SECONDS:
        raise Unauthenticated("The identity token's times do not hold. Check the clocks of gateway and service.")


def _strings(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unauthenticated("The identity token's roles or scopes are not lists of names.")
    return frozenset(value)
