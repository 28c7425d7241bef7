"""Browser sessions: a signed cookie, renewed while used, ended by sign-out or a new password.

The cookie is a JWT (HS256) of 15 minutes. Past half of that it is renewed, up to 12 hours after the sign-in. All tokens of
one sign-in share a session id, which a sign-out puts on the list of ended ones in the control store, and carry their user's
session epoch, which a new password moves on. Both are looked up with every request.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr

from libs.common.auth.identity import unix_seconds
from libs.common.clock import Clock
from libs.common.errors import Unauthenticated
from services.api_gateway.repository import User

# A browser takes a name with this prefix only over TLS, for the whole host and from nobody else (RFC 6265bis, 4.1.3.2): a
# page of a neighbouring subdomain cannot plant one.
COOKIE, SECURE_COOKIE = "airis_session", "__Host-airis_session"
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
    epoch: int
    signed_in: int
    issued: int
    expires: int

    @property
    def subject(self) -> str:
        return f"user:{self.user_id}"

    def is_of(self, user: User) -> bool:
        """Whether `user`, as stored now, still has this session."""
        same = (user.id, user.tenant, user.session_epoch) == (self.user_id, self.tenant, self.epoch)
        return same and not user.disabled

    @property
    def forget_at(self) -> int:
        """When no token of it can be alive any more, unix seconds."""
        # A renewal may be under way while the session is ended; its token lives at most this long.
        return min(self.expires + LIFETIME_SECONDS, self.signed_in + ABSOLUTE_SECONDS) + 60


class Sessions:
    """Makes and reads sessions."""

    def __init__(
        self, secret: SecretStr, clock: Clock, new_id: Callable[[], str] = lambda: secrets.token_urlsafe(18)
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._new_id = new_id

    def start(self, user: User) -> Session:
        """A session that begins now."""
        now = self._now()
        return Session(
            self._new_id(), user.id, user.email, user.tenant, user.roles, user.session_epoch,
            signed_in=now, issued=now, expires=now + LIFETIME_SECONDS,
        )  # fmt: skip

    def renewed(self, session: Session, *, roles: frozenset[str]) -> Session:
        """The same session, valid for another 15 minutes or until 12 hours after its sign-in."""
        now = self._now()
        expires = min(now + LIFETIME_SECONDS, session.signed_in + ABSOLUTE_SECONDS)
        return Session(
            session.session_id, session.user_id, session.email, session.tenant, roles, session.epoch,
            signed_in=session.signed_in, issued=now, expires=expires,
        )  # fmt: skip

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
            "epoch": session.epoch,
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
        if now >= min(session.expires, session.signed_in + ABSOLUTE_SECONDS):
            raise Unauthenticated("The session has expired. Sign in again.")
        # From the future: a sign-in that never was would stretch the twelve hours.
        if (
            not session.signed_in <= session.issued <= now + _SKEW_SECONDS
            or session.expires - session.issued > LIFETIME_SECONDS
        ):
            raise Unauthenticated("The session is not valid. Sign in again.")
        return session

    def set_cookie(self, session: Session, *, secure: bool) -> str:
        """`Set-Cookie` for the session."""
        return _cookie(self.token(session), session.expires - self._now(), secure=secure)

    def _now(self) -> int:
        return self._clock.now_ns() // 1_000_000_000


def session_token(cookies: Mapping[str, str], *, secure: bool) -> str | None:
    """The session's token among a request's cookies; over TLS only the one that no other host can have set."""
    return cookies.get(SECURE_COOKIE if secure else COOKIE)


def delete_cookie(*, secure: bool) -> str:
    """`Set-Cookie` that removes the session."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, max_age: int, *, secure: bool) -> str:
    name, ending = (SECURE_COOKIE, "; Secure") if secure else (COOKIE, "")
    return f"{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{ending}"


def _from_claims(claims: dict[str, Any]) -> Session:
    return Session(
        session_id=_text(claims["sid"]),
        user_id=_text(claims["sub"]),
        email=_text(claims["email"]),
        tenant=_text(claims["tenant"]),
        roles=_texts(claims["roles"]),
        epoch=unix_seconds(claims["epoch"]),
        signed_in=unix_seconds(claims["auth_time"]),
        issued=unix_seconds(claims["iat"]),
        expires=unix_seconds(claims["exp"]),
    )


def _text(claim: object) -> str:
    if not (isinstance(claim, str) and claim):
        raise TypeError
    return claim


def _texts(claim: object) -> frozenset[str]:
    if not isinstance(claim, list):
        raise TypeError
    return frozenset(_text(entry) for entry in claim)
