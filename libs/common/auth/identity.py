"""Who asks: the gateway signs an identity for each request it forwards, services believe nothing else.

The token is a JWT (RFC 7519), HS256, valid for 60 s: long enough for clock skew and a slow hop, short enough that a logged or
stolen one is worthless. It names the one service it is for (`aud`), so that what one service was sent opens no other, and the
key it was signed with (`kid`). It travels in `X-Airis-Identity`.

Services that ask the gateway sign for themselves, with another issuer: such a token is nobody's identity.
"""

import hashlib
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
SERVICE_ISSUER = "airis-service"
LIFETIME_SECONDS = 60
SKEW_SECONDS = 5


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


def sign_identity(identity: Identity, secret: SecretStr, clock: Clock, *, audience: str) -> str:
    """A compact JWT for the service `audience`, valid for 60 s from the clock's now."""
    claims = {
        "iss": ISSUER,
        "sub": identity.subject,
        "tenant": identity.tenant,
        "roles": sorted(identity.roles),
        "scopes": sorted(identity.scopes),
    }
    return _sign(claims, secret, clock, audience)


def verify_identity(token: str, secret: SecretStr, clock: Clock, *, audience: str) -> Identity:
    """The identity a token was signed for. Raises Unauthenticated when anything about it does not hold."""
    claims = _verify(token, secret, clock, issuer=ISSUER, audience=audience)
    tenant, subject = claims.get("tenant"), claims["sub"]
    if not (isinstance(tenant, str) and tenant and isinstance(subject, str) and subject):
        raise Unauthenticated("The identity token names no tenant or no subject.")
    return Identity(subject, tenant, _strings(claims.get("roles", [])), _strings(claims.get("scopes", [])))


def sign_service(service: str, secret: SecretStr, clock: Clock, *, audience: str) -> str:
    """A token with which `service` asks the service `audience` on nobody's behalf, valid for 60 s."""
    return _sign({"iss": SERVICE_ISSUER, "sub": service}, secret, clock, audience)


def verify_service(token: str, secret: SecretStr, clock: Clock, *, audience: str) -> str:
    """The name of the service that signed it. Raises Unauthenticated."""
    service = _verify(token, secret, clock, issuer=SERVICE_ISSUER, audience=audience)["sub"]
    if not (isinstance(service, str) and service):
        raise Unauthenticated("The token names no service.")
    return service


def install_identity(app: FastAPI, settings: IdentitySettings, clock: Clock | None = None, *, audience: str) -> None:
    """Let `require_identity` work on this application, for tokens to the service `audience`. Call in `create_app`."""
    app.state.identity_secret = settings.secret
    app.state.identity_clock = clock or SystemClock()
    app.state.identity_audience = audience


async def require_identity(request: Request) -> Identity:
    """FastAPI dependency: the caller, from the gateway's signature alone. Raises Unauthenticated."""
    token = request.headers.get(IDENTITY_HEADER)
    if not token:
        raise Unauthenticated("Sign in, or send an API key as 'Authorization: Bearer <key>', at the gateway.")
    state = request.app.state
    return verify_identity(token, state.identity_secret, state.identity_clock, audience=state.identity_audience)


CurrentIdentity = Annotated[Identity, Depends(require_identity)]


def key_id(secret: SecretStr) -> str:
    """What a token says of the key that signed it: enough to tell keys apart, nothing about the key."""
    return hashlib.sha256(b"airis kid " + secret.get_secret_value().encode()).hexdigest()[:16]


def unix_seconds(claim: object) -> int:
    """A time claim that is a plain integer: JSON has NaN, infinities and truths too, which compare as one likes.

    Raises TypeError.
    """
    if not isinstance(claim, int) or isinstance(claim, bool):
        raise TypeError("a time that is no integer")
    return claim


def _sign(claims: dict[str, Any], secret: SecretStr, clock: Clock, audience: str) -> str:
    issued = clock.now_ns() // 1_000_000_000
    claims = {**claims, "aud": audience, "iat": issued, "exp": issued + LIFETIME_SECONDS}
    return jwt.encode(claims, secret.get_secret_value(), algorithm="HS256", headers={"kid": key_id(secret)})


def _verify(token: str, secret: SecretStr, clock: Clock, *, issuer: str, audience: str) -> dict[str, Any]:
    try:
        decoded = jwt.decode_complete(
            token,
            secret.get_secret_value(),
            algorithms=["HS256"],
            issuer=issuer,
            audience=audience,
            # Times are checked below because PyJWT can only ask the machine's clock.
            options={
                "require": ["iss", "aud", "sub", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "strict_aud": True,
            },
        )
    except jwt.PyJWTError:
        raise Unauthenticated("The identity token is not valid. Requests must come through the gateway.") from None
    if decoded["header"].get("kid") != key_id(secret):
        raise Unauthenticated("The identity token was signed with another key. Requests must come through the gateway.")
    claims: dict[str, Any] = decoded["payload"]
    _check_times(claims, clock.now_ns() / 1e9)
    return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    try:
        issued, expires = unix_seconds(claims["iat"]), unix_seconds(claims["exp"])
    except TypeError:
        raise Unauthenticated("The identity token's times are not whole seconds.") from None
    if now >= expires + SKEW_SECONDS:
        raise Unauthenticated("The identity token has expired.")
    if issued > now + SKEW_SECONDS or expires - issued > LIFETIME_SECONDS:
        raise Unauthenticated("The identity token's times do not hold. Check the clocks of gateway and service.")


def _strings(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unauthenticated("The identity token's roles or scopes are not lists of names.")
    return frozenset(value)
