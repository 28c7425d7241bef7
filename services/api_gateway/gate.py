"""The one gate to /api: who asks, may a browser ask this from there, and is it not too often.

An API key in `Authorization: Bearer` goes before the session's cookie: it was put there on purpose, and a wrong one is
refused rather than replaced by whoever happens to be signed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from starlette.requests import Request

from libs.common.auth.identity import Identity
from libs.common.auth.key_ring import KeyRing
from libs.common.errors import Forbidden, Unauthenticated, Unavailable
from services.api_gateway.client_origin import SAFE_METHODS, ClientOrigin, client_origin, require_same_site
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.rate_limit import Limit, RateLimiter, neighbourhood
from services.api_gateway.repository import ControlPlane, User
from services.api_gateway.response_headers import add_response_header
from services.api_gateway.sessions import Session, Sessions, delete_cookie, session_token

# Typing errors of a few scripts behind one address; somebody who guesses keys makes more.
UNKNOWN_KEYS = Limit("unknown-key", 1.0, 20)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who passed the gate. `session` is there for people, not for keys."""

    identity: Identity
    origin: ClientOrigin
    session: Session | None = None

    def require_session(self) -> Session:
        """Raises Forbidden for an API key."""
        if self.session is None:
            raise Forbidden("This is for people. Sign in; an API key is not enough.")
        return self.session


class Gate:
    def __init__(
        self,
        *,
        keys: KeyRing,
        sessions: Sessions,
        control_plane: ControlPlane,
        limiter: RateLimiter,
        limit: Limit,
        metrics: GatewayMetrics,
        trusted_proxies: Sequence[IPv4Network | IPv6Network],
        secure_cookies: bool,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._control_plane = control_plane
        self._limiter = limiter
        self._limit = limit
        self._metrics = metrics
        self._trusted_proxies = trusted_proxies
        self._secure_cookies = secure_cookies

    def origin(self, request: Request) -> ClientOrigin:
        """Where the request comes from, as far as our proxies can be believed."""
        return client_origin(request, self._trusted_proxies)

    def secure_cookies(self, origin: ClientOrigin) -> bool:
        """Whether cookies set now are for TLS only."""
        return self._secure_cookies or origin.scheme == "https"

    async def admit(self, request: Request) -> Caller:
        """The caller; adds rate limit headers, and the cookie when it was renewed.

        Raises Unauthenticated, CrossSiteRequest, RateLimited, ControlStoreUnavailable.
        """
        origin = self.origin(request)
        authorization = request.headers.get("authorization")
        if authorization is not None:
            caller = await self._by_key(authorization, origin)
        elif (cookie := session_token(request.cookies, secure=self.secure_cookies(origin))) is not None:
            caller = await self._by_cookie(request, cookie, origin)
        else:
            self._metrics.authentications.labels("none", "refused").inc()
            raise Unauthenticated("Sign in, or send an API key as 'Authorization: Bearer <key>'.")
        decision = await self._limiter.take(self._limit, caller.identity.subject)
        for name, value in decision.headers():
            add_response_header(request.scope, name, value)
        decision.require("This key or user sends more requests than allowed. Slow down, and back off as told.")
        return caller

    async def _by_key(self, authorization: str, origin: ClientOrigin) -> Caller:
        scheme, _, presented = authorization.partition(" ")
        key = await self._keys.lookup(presented.strip()) if scheme.lower() == "bearer" else None
        self._metrics.authentications.labels("key", "ok" if key else "refused").inc()
        if key is None:
            # After the look, which is one into memory: good keys behind the same address go on.
            (await self._limiter.take(UNKNOWN_KEYS, neighbourhood(origin.address))).require(
                "Too many unknown API keys from this address. Check the key that is sent, and back off as told."
            )
            raise Unauthenticated("The API key is not known, or was revoked. Send 'Authorization: Bearer <key>'.")
        return Caller(Identity(key.subject, key.tenant, scopes=frozenset(key.scopes)), origin)

    async def _by_cookie(self, request: Request, cookie: str, origin: ClientOrigin) -> Caller:
        try:
            session = self._sessions.read(cookie)
            if (user := await self._user_of(session)) is not None:
                roles = user.roles
                if self._sessions.wants_renewal(session):
                    session = self._renew(request, session, roles, origin)
            else:
                roles = session.roles
        except Unauthenticated:
            self._metrics.authentications.labels("session", "refused").inc()
            add_response_header(request.scope, "Set-Cookie", delete_cookie(secure=self.secure_cookies(origin)))
            raise
        if request.method not in SAFE_METHODS:
            require_same_site(request.headers, origin.host, proof=True)
        self._metrics.authentications.labels("session", "ok").inc()
        identity = Identity(session.subject, session.tenant, roles, frozenset({"read"}))
        return Caller(identity, origin, session)

    async def _user_of(self, session: Session) -> User | None:
        """The session's user as stored now; None without an answer: the session then holds, but is not renewed.

        Raises Unauthenticated when the session was ended, or its user may not sign in any more.
        """
        try:
            user = await self._control_plane.session_user(session.user_id, session.session_id)
        except Unavailable:
            self._metrics.session_checks_skipped.inc()
            return None
        if user is None or not session.is_of(user):
            raise Unauthenticated(
                "This session was ended by a sign-out, a new password or an administrator. Sign in again."
            )
        return user

    def _renew(self, request: Request, session: Session, roles: frozenset[str], origin: ClientOrigin) -> Session:
        renewed = self._sessions.renewed(session, roles=roles)
        cookie = self._sessions.set_cookie(renewed, secure=self.secure_cookies(origin))
        add_response_header(request.scope, "Set-Cookie", cookie)
        return renewed
