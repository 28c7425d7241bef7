"""Browser sessions: a signed cookie, renewed while used, ended by sign-out.

The cookie is a JWT (HS256) of 15 minutes. Past half of that it is renewed, up to 12 hours after the sign-in, and only
after its user was looked up again: a disabled user is out within 15 minutes. All tokens of one sign-in share a session
id; sign-out puts that id on a list in Redis for as long as any of its tokens could live.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr
from redis.asyncio import Redis

from libs.common.clock import Clock
from libs.common.errors import CacheUnavailable, Unauthenticated
from services.api_gateway.errors import SessionNotRevoked
from services.api_gateway.redis_guard import RedisGuard

COOKIE = "airis_session"
LIFETIME_SECONDS = 15 * 60
ABSOLUTE_SECONDS = 12 * 3600
ISSUER = "airis-gateway"
# Keeps a token of another kind, signed with the same secret by mistake, from being taken for a session.
AUDIENCE = "airis-session"
_SKEW_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. Times are unix seconds; `signed_in` stays through renewals."""

    session_id: str
    user_id: str
    email: str
    tenant: str
    roles: frozenset[str]
    signed_in: int
    issued: int
    expires: int

    @property
    def subject(self) -> str:
        return f"user:{self.user_id}"


class Sessions:
    """Makes, reads and ends sessions."""

    def __init__(
        self,
        secret: SecretStr,
        redis: Redis,
        guard: RedisGuard,
        clock: Clock,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(18),
    ) -> None:
        self._secret = secret
        self._redis = redis
        self._guard = guard
        self._clock = clock
        self._new_id = new_id

    def start(self, *, user_id: str, email: str, tenant: str, roles: frozenset[str]) -> Session:
        """A session that begins now."""
        now = self._now()
        return Session(self._new_id(), user_id, email, tenant, roles, now, now, now + LIFETIME_SECONDS)

    def renewed(self, session: Session, *, roles: frozenset[str]) -> Session:
        """The same session, valid for another 15 minutes or until 12 hours after its sign-in."""
        now = self._now()
        expires = min(now + LIFETIME_SECONDS, session.signed_in + ABSOLUTE_SECONDS)
        return Session(
            session.session_id,
            session.user_id,
            session.email,
            session.tenant,
            roles,
            session.signed_in,
            now,
            expires,
        )

    def wants_renewal(self, session: Session) -> bool:
        """Past half of its life, with a later end to be had."""
        now = self._now()
        half = session.issued + (session.expires - session.issued) / 2
        return now >= half and session.expires < session.signed_in + ABSOLUTE_SECONDS

    def token(self, session: Session) -> str:
        """The cookie's value."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": session.user_id,
            "sid": session.session_id,
            "email": session.email,
            "tenant": session.tenant,
            "roles": sorted(session.roles),
            "auth_time": session.signed_in,
            "iat": session.issued,
            "exp": session.expires,
        }
        return jwt.encode(claims, self._secret.get_secret_value(), algorithm="HS256")

    def read(self, token: str) -> Session:
        """The session of a cookie, whether or not it was ended since. Raises Unauthenticated."""
        try:
            claims = jwt.decode(
                token,
                self._secret.get_secret_value(),
                algorithms=["HS256"],
                issuer=ISSUER,
                audience=AUDIENCE,
                # Times are checked below because PyJWT can only ask the machine's clock.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            session = _from_claims(claims)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise Unauthenticated("The session is not valid. Sign in again.") from None
        now = self._now()
        if now >= min(session.expires, session.signed_in + ABSOLUTE_SECONDS) or session.issued > now + _SKEW_SECONDS:
            raise Unauthenticated("The session has expired. Sign in again.")
        return session

    async def is_revoked(self, session: Session) -> bool:
        """Whether it was ended by a sign-out. Raises CacheUnavailable."""
        key = _revoked_key(session.session_id)
        return bool(await self._guard.call(lambda: self._redis.exists(key)))

    async def revoke(self, session: Session) -> None:
        """End it on all gateways. Raises SessionNotRevoked when that cannot be written down."""
        key = _revoked_key(session.session_id)
        # A renewal may be under way while this runs; its token lives at most this long.
        seconds = LIFETIME_SECONDS + 60
        try:
            await self._guard.call(lambda: self._redis.set(key, "1", ex=seconds))
        except CacheUnavailable as error:
            raise SessionNotRevoked(
                "You are signed out in this browser, but a copy of its cookie would stay valid for up to 15 minutes. "
                "If it may have been copied, sign in and out again.",
                retry_after=5,
            ) from error

    def set_cookie(self, session: Session, *, secure: bool) -> str:
        """`Set-Cookie` for the session."""
        return _cookie(self.token(session), session.expires - self._now(), secure=secure)

    def _now(self) -> int:
        return self._clock.now_ns() // 1_000_000_000


def delete_cookie(*, secure: bool) -> str:
    """`Set-Cookie` that removes the session."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, max_age: int, *, secure: bool) -> str:
    return f"{COOKIE}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def _revoked_key(session_id: str) -> str:
    return f"airis:session:revoked:{session_id}"


def _from_claims(claims: dict[str, Any]) -> Session:
    return Session(
        session_id=_text(claims["sid"]),
        user_id=_text(claims["sub"]),
        email=_text(claims["email"]),
        tenant=_text(claims["tenant"]),
        roles=_texts(claims["roles"]),
        signed_in=_seconds(claims["auth_time"]),
        issued=_seconds(claims["iat"]),
        expires=_seconds(claims["exp"]),
    )


def _text(claim: object) -> str:
    if not (isinstance(claim, str) and claim):
        raise TypeError
    return claim


def _texts(claim: object) -> frozenset[str]:
    if not isinstance(claim, list):
        raise TypeError
    return frozenset(_text(entry) for entry in claim)


def _seconds(claim: object) -> int:
    if not isinstance(claim, int) or isinstance(claim, bool):
        raise TypeError
    return claim
