"""All valid keys in memory: what it hears, how soon, and what it does while nobody answers."""

import asyncio
import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from libs.common.auth import key_ring
from libs.common.auth.api_keys import ApiKey, generate_api_key, hash_api_key
from libs.common.auth.key_ring import KeyChange, KeyChanges, KeyRing, KeyRingMetrics, open_key_ring
from libs.common.errors import ControlStoreUnavailable, UpstreamUnavailable
from libs.common.metrics import sample_value
from libs.common.testing import FakeClock
from tests.fixtures.gateway import until


class Source:
    """The gateway's side, in memory."""

    def __init__(self) -> None:
        self.epoch, self.version = "first", 0
        self.log: dict[str, tuple[int, KeyChange]] = {}
        self.away = False
        self.asked = 0
        self.complete = 0
        self.uses: list[dict[str, int]] = []
        self.gate: asyncio.Event | None = None

    def add(self, tenant: str = "acme") -> tuple[ApiKey, str]:
        key, text = generate_api_key(tenant=tenant, name="test", scopes=["read"])
        self._change(KeyChange(key, hash_api_key(text)))
        return key, text

    def revoke(self, key: ApiKey) -> None:
        self._change(KeyChange(replace(key, revoked=True), self.log[key.key_id][1].key_hash))

    def _change(self, change: KeyChange) -> None:
        self.version += 1
        self.log[change.key.key_id] = (self.version, change)

    async def key_changes(self, epoch: str, version: int) -> KeyChanges:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise UpstreamUnavailable("away")
        complete = epoch != self.epoch
        self.complete += complete
        changes = tuple(
            change for at, change in self.log.values() if (not change.key.revoked if complete else at > version)
        )
        return KeyChanges.parse(KeyChanges(self.epoch, self.version, complete, changes).document())

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        if self.away:
            raise UpstreamUnavailable("away")
        if uses:
            self.uses.append(dict(uses))


class Setting:
    def __init__(self, snapshot: Path | None = None) -> None:
        self.clock = FakeClock()
        self.source = Source()
        self.registry = CollectorRegistry()
        self.ring = KeyRing(
            self.source, self.clock, metrics=KeyRingMetrics(self.registry), snapshot=snapshot, pace_seconds=0
        )


@pytest.fixture
def setting() -> Setting:
    return Setting()


def stranger() -> str:
    return generate_api_key(tenant="x", name="x", scopes=["read"])[1]


@pytest.mark.parametrize("text", ["", " ", "airis_", "airis_aaaqeayeauda", "airis_aaaqeayeauda_short"])
async def test_what_is_no_key_is_refused_without_asking(setting: Setting, text: str) -> None:
    assert await setting.ring.lookup(text) is None
    assert setting.source.asked == 0


async def test_a_key_made_a_moment_ago_works_and_then_nobody_is_asked(setting: Setting) -> None:
    await setting.ring.refresh()
    key, text = setting.source.add()
    assert await setting.ring.lookup(text) == key
    asked = setting.source.asked
    for _ in range(100):
        assert await setting.ring.lookup(text) == key
    assert setting.source.asked == asked
    assert setting.source.complete == 1  # after the first answer only changes travel
    assert sample_value(setting.registry, "airis_api_keys_known") == 1


async def test_a_revoked_key_is_gone_with_the_next_poll(setting: Setting) -> None:
    key, text = setting.source.add()
    async with open_key_ring(setting.ring):
        await until(lambda: setting.clock.sleeping == 1)
        assert await setting.ring.lookup(text) == key
        setting.source.revoke(key)
        await setting.clock.advance(key_ring.POLL_SECONDS)
        assert await setting.ring.lookup(text) is None


async def test_the_right_id_with_another_secret_is_no_key(setting: Setting) -> None:
    key, text = setting.source.add()
    assert await setting.ring.lookup(f"airis_{key.key_id}_{'A' * 43}") is None
    assert await setting.ring.lookup(text) == key


async def test_a_key_tried_too_early_works_once_it_is_made(setting: Setting) -> None:
    key, text = generate_api_key(tenant="acme", name="test", scopes=["read"])
    assert await setting.ring.lookup(text) is None
    setting.source._change(KeyChange(key, hash_api_key(text)))
    await setting.ring.refresh()
    assert await setting.ring.lookup(text) == key


async def test_a_storm_of_unknown_keys_is_two_questions(setting: Setting) -> None:
    await setting.ring.refresh()
    setting.source.gate, asked = asyncio.Event(), setting.source.asked
    guesses = [stranger() for _ in range(200)]
    setting.ring._clock = ticking = FakeClock()
    tasks = []
    for guess in guesses:
        ticking.move(0.001)
        tasks.append(asyncio.create_task(setting.ring.lookup(guess)))
        await asyncio.sleep(0)
    await until(lambda: setting.source.asked == asked + 1)
    ticking.move(0.001)
    setting.source.gate.set()
    assert await asyncio.gather(*tasks) == [None] * 200
    # One that the first asked for, and one for all who came while it was asked.
    assert setting.source.asked == asked + 2
    assert await asyncio.gather(*(setting.ring.lookup(guess) for guess in guesses)) == [None] * 200
    assert setting.source.asked == asked + 2


async def test_questions_because_of_unknown_keys_are_paced() -> None:
    setting = Setting()
    setting.ring._pace_seconds = 0.2
    await setting.ring.lookup(stranger())
    waiting = asyncio.create_task(setting.ring.lookup(stranger()))
    await until(lambda: setting.clock.sleeping == 1)
    assert setting.source.asked == 1
    await setting.clock.advance(0.2)
    assert await waiting is None
    assert setting.source.asked == 2


async def test_only_so_many_wait(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "MAX_WAITING", 2)
    setting.source.gate = asyncio.Event()
    tasks = [asyncio.create_task(setting.ring.lookup(stranger())) for _ in range(2)]
    await until(lambda: setting.source.asked == 1)
    with pytest.raises(ControlStoreUnavailable, match="Too many"):
        await setting.ring.lookup(stranger())
    setting.source.gate.set()
    assert await asyncio.gather(*tasks) == [None, None]


async def test_while_nobody_answers_known_keys_go_on_and_unknown_ones_are_not_judged(setting: Setting) -> None:
    key, text = setting.source.add()
    assert await setting.ring.lookup(text) == key
    refused = stranger()
    assert await setting.ring.lookup(refused) is None
    setting.source.away = True
    setting.clock.move(3600)
    assert await setting.ring.lookup(text) == key
    assert await setting.ring.lookup(refused) is None
    with pytest.raises(ControlStoreUnavailable) as raised:
        await setting.ring.lookup(stranger())
    assert raised.value.retry_after == 1
    with pytest.raises(ControlStoreUnavailable, match="from memory"):
        await setting.ring.check()
    assert sample_value(setting.registry, "airis_api_keys_failures_total") == 1
    assert sample_value(setting.registry, "airis_api_keys_age_seconds") == 3600
    setting.source.away = False
    setting.source.revoke(key)
    await setting.ring.refresh()
    assert await setting.ring.lookup(text) is None
    await setting.ring.check()


async def test_a_process_starts_with_what_the_last_one_knew(tmp_path: Path) -> None:
    file = tmp_path / "private" / "keys.json"
    first = Setting(file)
    key, text = first.source.add()
    gone, gone_text = first.source.add()
    await first.ring.refresh()
    first.source.revoke(gone)
    await first.ring.refresh()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert text not in file.read_text()

    second = Setting(file)
    second.source = second.ring._source = first.source
    first.source.away = True
    async with open_key_ring(second.ring):
        assert await second.ring.lookup(text) == key
        with pytest.raises(ControlStoreUnavailable):
            await second.ring.lookup(gone_text)
        first.source.away = False
        complete = first.source.complete
        assert await second.ring.lookup(gone_text) is None
        assert first.source.complete == complete  # it goes on where the snapshot ends


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"epoch": 1, "version": "x", "keys": [], "complete": true}', "null"]
)
async def test_a_snapshot_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    setting = Setting(file)
    setting.ring.load_snapshot()
    with pytest.raises(ControlStoreUnavailable, match="not known yet"):
        await setting.ring.check()
    key, text = setting.source.add()
    assert await setting.ring.lookup(text) == key
    assert json.loads(file.read_text())["version"] == 1


async def test_a_source_that_was_made_anew_replaces_everything(setting: Setting) -> None:
    _, old = setting.source.add()
    await setting.ring.lookup(old)
    setting.source.__init__()
    setting.source.epoch = "second"
    key, text = setting.source.add()
    await setting.ring.refresh()
    assert (await setting.ring.lookup(text), await setting.ring.lookup(old)) == (key, None)


async def test_the_first_answer_is_waited_for_a_moment(setting: Setting) -> None:
    key, text = setting.source.add()
    setting.source.away = True
    async with open_key_ring(setting.ring):
        waiting = asyncio.create_task(setting.ring.lookup(text))
        await until(lambda: setting.source.asked >= 2)
        setting.source.away = False
        await setting.clock.advance(0.2)
        assert await waiting == key


async def test_uses_are_told_in_batches_and_never_get_in_the_way(setting: Setting) -> None:
    key, text = setting.source.add()
    other, other_text = setting.source.add()
    async with open_key_ring(setting.ring):
        await until(lambda: setting.clock.sleeping == 1)
        for _ in range(5):
            await setting.ring.lookup(text)
            await setting.ring.lookup(other_text)
        used = setting.clock.now_ns() // 10**9
        await setting.clock.advance(key_ring.USES_SECONDS + 1)
        assert setting.source.uses == [{key.key_id: used, other.key_id: used}]
        setting.source.away = True
        await setting.ring.lookup(text)
        await setting.clock.advance(key_ring.USES_SECONDS + 1)
        setting.source.away = False
    assert setting.source.uses[1:] == [{key.key_id: used + 31}]


async def test_scopes_we_do_not_know_are_not_granted() -> None:
    document = KeyChange(ApiKey("aaaqeayeauda", "acme", "ci", frozenset({"read"})), "0" * 64).document()
    assert KeyChange.parse(document | {"scopes": ["read", "admin"]}).key.scopes == {"read"}


async def test_memory_is_bounded(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "MAX_KEYS", 2)
    monkeypatch.setattr(key_ring, "MAX_UNKNOWN", 3)
    texts = [setting.source.add()[1] for _ in range(4)]
    found = [await setting.ring.lookup(text) for text in texts]
    assert sum(key is not None for key in found) == 2
    for _ in range(10):
        await setting.ring.lookup(stranger())
    assert (len(setting.ring._keys), len(setting.ring._unknown)) == (2, 3)
