"""API keys: their form, and what the store remembers for how long."""

import asyncio
import re
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.auth import api_keys
from libs.common.auth.api_keys import (
    NEGATIVE_SECONDS,
    POSITIVE_SECONDS,
    ApiKey,
    ApiKeyStore,
    generate_api_key,
    hash_api_key,
    parse_key_id,
)
from libs.common.clickhouse import ClickHouse
from libs.common.errors import StoreUnavailable
from libs.common.structured_logging import redact
from libs.common.testing import FakeClock
from services.api_gateway.repository import ControlPlane
from tests.fixtures.gateway import FakeClickHouse, until


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.clickhouse = FakeClickHouse()
        self.control_plane = ControlPlane(cast("ClickHouse", self.clickhouse), self.clock)
        self.store = ApiKeyStore(cast("ClickHouse", self.clickhouse), self.clock)

    async def add(self, tenant: str = "acme") -> tuple[ApiKey, str]:
        key, text = generate_api_key(tenant=tenant, name="test", scopes=["read"])
        await self.control_plane.add_api_key(key, hash_api_key(text), created_by="test")
        return key, text

    async def revoke(self, tenant: str = "acme") -> None:
        for stored in await self.control_plane.api_keys(tenant):
            await self.control_plane.revoke_api_key(stored)

    @property
    def lookups(self) -> int:
        return self.clickhouse.asked["select_api_key"]


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_key_has_its_form_and_depends_on_the_randomness_alone() -> None:
    key, text = generate_api_key(
        tenant="acme", name="ci", scopes=["read"], random_bytes=lambda count: bytes(range(count))
    )
    assert text == "airis_aaaqeayeauda_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert key == ApiKey("aaaqeayeauda", "acme", "ci", frozenset({"read"}))
    assert hash_api_key(text) == "7b273bf5d9176c6cfb2b02bc8211bf475b17c57093a2b5f3ed84fd2904c60470"


@given(st.binary(min_size=32, max_size=32))
def test_every_key_parses_and_is_redacted_in_logs(randomness: bytes) -> None:
    key, text = generate_api_key(
        tenant="acme", name="ci", scopes=["read"], random_bytes=lambda count: randomness[:count]
    )
    assert parse_key_id(text) == key.key_id
    assert re.fullmatch(r"airis_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", text)
    line = str(redact(None, "info", {"event": f"got {text} from a client"})["event"])
    assert text not in line
    assert key.key_id in line


@given(st.text(max_size=80))
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse_key_id(text) is None
    assert len(hash_api_key(text)) == 64


@pytest.mark.parametrize("changed", ["", " ", "airis_", "airis_aaaqeayeauda", "airis_aaaqeayeauda_short"])
async def test_what_is_no_key_is_refused_without_asking(setting: Setting, changed: str) -> None:
    assert await setting.store.lookup(changed) is None
    assert setting.lookups == 0


async def test_a_found_key_is_remembered_until_a_revocation_must_show(setting: Setting) -> None:
    key, text = await setting.add()
    assert await setting.store.lookup(text) == key
    await setting.revoke()
    setting.clock.move(POSITIVE_SECONDS - 0.1)
    assert await setting.store.lookup(text) == key
    assert setting.lookups == 1
    setting.clock.move(0.1)
    assert await setting.store.lookup(text) is None
    assert setting.lookups == 2
    assert POSITIVE_SECONDS < 30


async def test_the_process_that_revoked_it_knows_at_once(setting: Setting) -> None:
    key, text = await setting.add()
    await setting.store.lookup(text)
    await setting.revoke()
    setting.store.forget(key.key_id)
    assert await setting.store.lookup(text) is None


async def test_a_query_that_began_before_the_revocation_does_not_count_from_its_end(setting: Setting) -> None:
    _, text = await setting.add()

    async def slow() -> None:
        setting.clock.move(20)

    setting.clickhouse.before_query = slow
    await setting.store.lookup(text)
    setting.clickhouse.before_query = None
    setting.clock.move(POSITIVE_SECONDS - 20)
    await setting.revoke()
    assert await setting.store.lookup(text) is None


async def test_a_key_made_a_moment_too_late_works_soon(setting: Setting) -> None:
    key, text = generate_api_key(tenant="acme", name="test", scopes=["read"])
    assert await setting.store.lookup(text) is None
    await setting.control_plane.add_api_key(key, hash_api_key(text), created_by="test")
    assert await setting.store.lookup(text) is None
    setting.clock.move(NEGATIVE_SECONDS)
    assert await setting.store.lookup(text) == key


async def test_the_right_id_with_another_secret_is_no_key(setting: Setting) -> None:
    key, text = await setting.add()
    other = f"airis_{key.key_id}_{'A' * 43}"
    assert await setting.store.lookup(other) is None
    assert await setting.store.lookup(text) == key
    assert await setting.store.lookup(other) is None


async def test_concurrent_callers_share_one_query(setting: Setting) -> None:
    key, text = await setting.add()
    gate = asyncio.Event()
    setting.clickhouse.before_query = gate.wait
    tasks = [asyncio.create_task(setting.store.lookup(text)) for _ in range(20)]
    await until(lambda: setting.lookups == 1)
    gate.set()
    assert await asyncio.gather(*tasks) == [key] * 20
    assert setting.lookups == 1


async def test_a_caller_that_leaves_takes_nobody_with_it(setting: Setting) -> None:
    key, text = await setting.add()
    gate = asyncio.Event()
    setting.clickhouse.before_query = gate.wait
    first = asyncio.create_task(setting.store.lookup(text))
    await until(lambda: setting.lookups == 1)
    second = asyncio.create_task(setting.store.lookup(text))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == key


async def test_guessed_keys_queue_here_and_not_in_the_store(setting: Setting) -> None:
    gate = asyncio.Event()
    setting.clickhouse.before_query = gate.wait
    guesses = [generate_api_key(tenant="x", name="x", scopes=["read"])[1] for _ in range(50)]
    tasks = [asyncio.create_task(setting.store.lookup(guess)) for guess in guesses]
    await until(lambda: setting.lookups == api_keys.MAX_LOOKUPS)
    for _ in range(20):
        await asyncio.sleep(0)
    assert setting.lookups == api_keys.MAX_LOOKUPS
    gate.set()
    assert await asyncio.gather(*tasks) == [None] * 50


async def test_a_valid_key_does_not_wait_behind_guesses(setting: Setting) -> None:
    key, text = await setting.add()
    await setting.store.lookup(text)
    setting.clock.move(POSITIVE_SECONDS)
    gate = asyncio.Event()
    setting.clickhouse.before_query = gate.wait
    guesses = [generate_api_key(tenant="x", name="x", scopes=["read"])[1] for _ in range(50)]
    tasks = [asyncio.create_task(setting.store.lookup(guess)) for guess in guesses]
    await until(lambda: setting.lookups == 1 + api_keys.MAX_LOOKUPS)
    setting.clickhouse.before_query = None
    assert await setting.store.lookup(text) == key
    assert not any(task.done() for task in tasks)
    gate.set()
    await asyncio.gather(*tasks)


async def test_while_the_store_is_away_known_keys_stay_valid(setting: Setting) -> None:
    key, text = await setting.add()
    await setting.store.lookup(text)
    setting.clickhouse.down = True
    setting.clock.move(3600)
    assert await setting.store.lookup(text) == key
    asked = setting.lookups
    setting.clock.move(NEGATIVE_SECONDS - 1)
    assert await setting.store.lookup(text) == key
    assert setting.lookups == asked
    with pytest.raises(StoreUnavailable):
        await setting.store.lookup(generate_api_key(tenant="x", name="x", scopes=["read"])[1])
    setting.clickhouse.down = False
    await setting.revoke()
    setting.clock.move(NEGATIVE_SECONDS)
    assert await setting.store.lookup(text) is None


async def test_memory_is_bounded_and_guesses_push_no_key_out(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MAX_ENTRIES", 3)
    _, text = await setting.add()
    await setting.store.lookup(text)
    for _ in range(10):
        await setting.store.lookup(generate_api_key(tenant="x", name="x", scopes=["read"])[1])
    asked = setting.lookups
    await setting.store.lookup(text)
    assert setting.lookups == asked
    for _ in range(3):
        await setting.store.lookup((await setting.add())[1])
    await setting.store.lookup(text)
    assert setting.lookups == asked + 4


async def test_a_use_is_noted_every_few_minutes_and_never_gets_in_the_way(setting: Setting) -> None:
    key, text = await setting.add()
    for _ in range(12):
        await setting.store.lookup(text)
        setting.clock.move(50)
    assert setting.clickhouse.asked["insert_api_key_use"] == 2
    (stored,) = await setting.control_plane.api_keys("acme")
    assert stored.last_used is not None
    assert stored.last_used <= setting.clock.now_ns()

    async def writes_fail() -> None:
        setting.clickhouse.down = setting.clickhouse.asked["insert_api_key_use"] == 3

    setting.clickhouse.before_query = writes_fail
    setting.clock.move(600)
    assert await setting.store.lookup(text) == key
    assert setting.clickhouse.down


async def test_scopes_we_do_not_know_are_not_granted(setting: Setting) -> None:
    key, text = await setting.add()
    setting.clickhouse.keys[key.key_id]["scopes"] = ["read", "admin"]
    found = await setting.store.lookup(text)
    assert found is not None
    assert found.scopes == {"read"}
