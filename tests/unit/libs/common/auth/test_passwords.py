"""Passwords."""

import pytest
from argon2 import PasswordHasher

from libs.common.auth.passwords import MAXIMUM_LENGTH, Passwords
from libs.common.errors import InvalidRequest

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(FAST)


async def test_the_right_password_matches_and_others_do_not(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify(stored, "")
    assert not await passwords.verify(stored, "\ud800")


async def test_the_same_password_has_another_hash_each_time(passwords: Passwords) -> None:
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


@pytest.mark.parametrize("password", ["", "short", "x" * (MAXIMUM_LENGTH + 1), "half a pair \ud800"])
async def test_passwords_that_are_not_accepted(passwords: Passwords, password: str) -> None:
    with pytest.raises(InvalidRequest):
        await passwords.hash(password)


async def test_an_unknown_user_costs_the_same_work_and_never_matches() -> None:
    verified = []

    class Counting(PasswordHasher):
        def verify(self, hash: str, password: str) -> bool:  # noqa: A002 - the parent's name
            verified.append(hash)
            return super().verify(hash, password)

    passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert not await passwords.verify(None, "decoy")
    assert not await passwords.verify(None, "correct horse")
    assert len(verified) == 2


async def test_a_damaged_hash_never_matches(passwords: Passwords) -> None:
    assert not await passwords.verify("not a hash", "correct horse")


async def test_a_hash_of_weaker_times_asks_to_be_made_again(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert not passwords.needs_rehash(stored)
    assert Passwords().needs_rehash(stored)
