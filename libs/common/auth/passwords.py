"""Passwords as Argon2id hashes (RFC 9106), in PHC string form, off the event loop."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from libs.common.errors import InvalidRequest

MINIMUM_LENGTH = 10
# Argon2 takes any length; a caller must not make us hash megabytes.
MAXIMUM_LENGTH = 1024


class Passwords:
    """Hash and verify. At most `parallel` at a time, because each takes tens of milliseconds and 64 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None, *, parallel: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(parallel)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """A salted hash. Raises InvalidRequest for a password that is too short or too long."""
        if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
            raise InvalidRequest(f"A password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters.")
        if not _is_text(password):
            raise InvalidRequest("A password is made of whole Unicode characters.")
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` made `stored`. With None, for an unknown user, False after the same work.

        The same work, so that the time of an answer does not tell which users exist.
        """
        if len(password) > MAXIMUM_LENGTH or not _is_text(password):
            return False
        async with self._slots:
            if stored is None:
                if self._decoy is None:
                    self._decoy = await asyncio.to_thread(self._hasher.hash, "decoy")
                await asyncio.to_thread(self._matches, self._decoy, password)
                return False
            return await asyncio.to_thread(self._matches, stored, password)

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with weaker parameters than today's; hash again at the next sign-in."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _is_text(password: str) -> bool:
    """JSON can carry half a surrogate pair, which has no bytes to hash."""
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True
