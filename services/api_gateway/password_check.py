"""A bound on password checks that wait, over `Passwords`, which bounds those that run."""

from libs.common.auth.passwords import Passwords
from libs.common.errors import RateLimited

# Per running check; at ~50 ms each the last one waits about half a second.
QUEUE_PER_SLOT = 8


class PasswordCheck:
    """Checks passwords, at most `parallel` at once and a few more waiting: each takes tens of milliseconds and 64 MiB."""

    def __init__(self, passwords: Passwords, *, parallel: int) -> None:
        self._passwords = passwords
        self._limit = parallel * (1 + QUEUE_PER_SLOT)
        self._pending = 0

    async def prepare(self) -> None:
        """Make the decoy hash now: the first unknown user would otherwise wait twice as long as a known one."""
        await self._passwords.verify(None, "decoy")

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether `password` made `stored`; with None never, after the same work.

        Raises RateLimited when too many checks wait already.
        """
        if self._pending >= self._limit:
            raise RateLimited("Too many sign-ins at this moment. Try again shortly.", retry_after=1)
        self._pending += 1
        try:
            return await self._passwords.verify(stored, password)
        finally:
            self._pending -= 1
