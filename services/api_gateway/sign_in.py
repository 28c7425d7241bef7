"""Sign a person in, and change a password: limit the tries, check the password, write it down."""

from dataclasses import dataclass

from libs.common.auth.passwords import Passwords
from libs.common.errors import NotFound, RateLimited, Unavailable
from services.api_gateway.errors import InvalidCredentials
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.password_check import PasswordCheck
from services.api_gateway.rate_limit import Limit, RateLimiter, neighbourhood
from services.api_gateway.repository import AuditEvent, ControlPlane, User, normal_email

_TOO_MANY = "Too many tries to sign in. Wait before the next one."


@dataclass(frozen=True, slots=True)
class SignInLimits:
    """Tries per e-mail and address, per address over all e-mails, and per e-mail over all strange addresses.

    The last one slows down who guesses one account's password from many addresses. It does not count for an address from
    which the account signed in lately, so that nobody can lock a person out of their own desk.
    """

    pair: Limit
    address: Limit
    account: Limit

    @classmethod
    def of(cls, *, burst: int, refill_seconds: float) -> "SignInLimits":
        """Ten times as many per address: an office is behind one. Four times as many per account: a person has few places."""
        return cls(
            Limit("sign-in", 1 / refill_seconds, burst),
            Limit("sign-in-address", 10 / refill_seconds, burst * 10),
            Limit("sign-in-account", 1 / refill_seconds, burst * 4),
        )


class SignIn:
    def __init__(
        self,
        control_plane: ControlPlane,
        passwords: PasswordCheck,
        limiter: RateLimiter,
        limits: SignInLimits,
        metrics: GatewayMetrics,
    ) -> None:
        self._control_plane = control_plane
        self._passwords = passwords
        self._limiter = limiter
        self._limits = limits
        self._metrics = metrics

    async def check(self, email: str, password: str, *, address: str, request_id: str, action: str = "sign_in") -> User:
        """The user. Raises InvalidCredentials, RateLimited, ControlStoreUnavailable.

        An unknown e-mail, a wrong password and a disabled user take the same steps and get the same answer. A try that
        was limited is counted and not written to the audit log, which a flood would otherwise fill.
        """
        email = normal_email(email)
        try:
            await self._limit(email, address)
            user = await self._control_plane.user_by_email(email)
            usable = user if user is not None and not user.disabled else None
            matches = await self._passwords.matches(password, usable.password_hash if usable else None)
        except RateLimited:
            self._metrics.sign_ins.labels("limited").inc()
            raise
        outcome = "ok" if matches else InvalidCredentials.id
        # Before the answer, and fatal to it: a sign-in that cannot be written down does not happen.
        await self._control_plane.record(
            AuditEvent(
                tenant=user.tenant if user else "",
                action=action,
                outcome=outcome,
                subject=user.subject if user and matches else "",
                target=email,
                address=address,
                request_id=request_id,
            )
        )
        self._metrics.sign_ins.labels(outcome).inc()
        if usable is None or not matches:
            raise InvalidCredentials("Check the e-mail and the password, or ask an administrator to reset it.")
        return usable

    async def _limit(self, email: str, address: str) -> None:
        near = neighbourhood(address)
        for limit, who in ((self._limits.address, near), (self._limits.pair, f"{near} {email}")):
            (await self._limiter.take(limit, who)).require(_TOO_MANY)
        if not await self._is_known(email, address):
            (await self._limiter.take(self._limits.account, email)).require(
                f"{_TOO_MANY} From an address where you signed in before it works at once."
            )

    async def _is_known(self, email: str, address: str) -> bool:
        try:
            return await self._control_plane.signed_in_from(email, address)
        except Unavailable:
            return False  # the next step will say so


async def change_password(
    control_plane: ControlPlane,
    passwords: Passwords,
    user: User,
    password: str,
    *,
    subject: str,
    address: str,
    request_id: str,
) -> User:
    """Set a new password and end all sessions of the user; the user after it.

    Raises InvalidRequest for one that is too short or too long, NotFound, ControlStoreUnavailable.
    """
    event = AuditEvent(user.tenant, "password.change", "ok", subject, user.email, address, request_id)
    changed = await control_plane.change_password(user.id, await passwords.hash(password), event)
    if changed is None:
        raise NotFound("This user does not exist any more.")
    return changed
