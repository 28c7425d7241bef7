"""Check passwords without telling who exists, and without letting checks eat the machine."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from libs.common.auth.passwords import hash_password, verify_password

from libs.common.errors import RateLimited

# Checks waiting per thread; at ~50 ms each the last one waits about half a second.
QUEUE_PER_THREAD = 8


class PasswordCheck:
    """argon2 in a few threads. Each check allocates 64 MiB, so the threads bound memory as well as cores."""

    def __init__(self, pool: ThreadPoolExecutor, limit: int, decoy: str) -> None:
        self._pool = pool
        self._limit = limit
        self._decoy = decoy
        self._pending = 0

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is the one of the hash.

        Without a hash (no such user) it is checked against a decoy and never matches, so that both take equally long.
        Raises RateLimited when too many checks wait already.
        """
        if self._pending >= self._limit:
            raise RateLimited("Too many sign-ins at this moment. Try again shortly.", retry_after=1)
        self._pending += 1
        try:
            checked = await asyncio.get_running_loop().run_in_executor(
                self._pool, verify_password, password, password_hash or self._decoy
            )
        finally:
            self._pending -= 1
        return checked and password_hash is not None


@asynccontextmanager
async def open_password_check(threads: int) -> AsyncIterator[PasswordCheck]:
    """The checker, until left; then running checks are awaited."""
    with ThreadPoolExecutor(threads, thread_name_prefix="argon2") as pool:
        decoy = await asyncio.get_running_loop().run_in_executor(pool, hash_password, "no user has this password")
        yield PasswordCheck(pool, threads * QUEUE_PER_THREAD, decoy)
