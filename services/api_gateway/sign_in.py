"""Sign a person in: limit the tries, check the password, write it down."""

from dataclasses import dataclass

from libs.common.errors import RateLimited
from services.api_gateway.errors import InvalidCredentials
from services.api_gateway.metrics import GatewayMetrics
from services.api_gateway.password_check import PasswordCheck
from services.api_gateway.rate_limit import Limit, RateLimiter
from services.api_gateway.repository import AuditEvent, ControlPlane, User, normal_email


@dataclass(frozen=True, slots=True)
class SignInLimits:
    """Tries per e-mail and address, and per address over all e-mails, which is what tries many e-mails."""

    account: Limit
    address: Limit

    @classmethod
    def of(cls, *, burst: int, refill_seconds: float) -> "SignInLimits":
        """Ten times as many per address: an office is behind one."""
        return cls(
            Limit("sign-in", 1 / refill_seconds, burst), Limit("sign-in-address", 10 / refill_seconds, burst * 10)
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

    async def check(self, email: str, password: str, *, address: str, request_id: str) -> User:
        """The user. Raises InvalidCredentials, RateLimited, StoreUnavailable.

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
                action="sign_in",
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
        for limit, who in ((self._limits.address, address), (self._limits.account, f"{address} {email}")):
            if decision := await self._limiter.take(limit, who):
                decision.require("Too many tries to sign in. Wait before the next one.")
