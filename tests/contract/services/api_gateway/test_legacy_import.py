"""An installation of the version before, with its control plane in ClickHouse, becomes one of this version."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.auth.api_keys import generate_api_key, hash_api_key
from libs.common.clickhouse import ClickHouse
from libs.common.control_store import ControlStore, open_control_store
from libs.common.errors import StoreUnavailable
from libs.common.settings import ControlSettings
from libs.common.testing import FakeClock
from services.api_gateway.bootstrap import bootstrap
from services.api_gateway.legacy_import import import_from_clickhouse
from services.api_gateway.repository import ControlPlane, StoredApiKey
from tests.fixtures.gateway import PASSWORD, QUICK_HASHER, migrate_gateway
from tests.fixtures.telemetry import create_schema

NOW = time.time_ns()
KEY, KEY_TEXT = generate_api_key(tenant="acme", name="ci", scopes=["ingest", "read"])
REVOKED, REVOKED_TEXT = generate_api_key(tenant="orphans", name="old", scopes=["read"])


def _time(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def _event(number: int, **changes: Any) -> dict[str, Any]:
    # Several in one nanosecond, as a page's end may meet them.
    event = {
        "tenant": "acme",
        "time": _time(NOW - 10**12 + number // 3),
        "action": "sign_in",
        "outcome": "ok",
        "subject": "user:u1",
    }
    return event | {"target": "ada@acme.example", "address": "192.0.2.1", "request_id": f"r{number:04d}"} | changes


@pytest.fixture
async def legacy(clickhouse: ClickHouse) -> ClickHouse:
    """The tables as migration 0002 made them, with rows in several versions."""
    await create_schema(clickhouse)
    created = _time(NOW - 10**15)
    user = {
        "email": "ada@acme.example", "id": "u1", "tenant": "acme", "roles": ["admin"], "created_at": created,
        "password_hash": QUICK_HASHER.hash(PASSWORD),
    }  # fmt: skip
    keys = [
        {"key_id": key.key_id, "tenant": key.tenant, "name": key.name, "scopes": sorted(key.scopes), "created_at": created,
         "key_hash": hash_api_key(text), "created_by": "user:u1", "version": 1}
        for key, text in ((KEY, KEY_TEXT), (REVOKED, REVOKED_TEXT))
    ]  # fmt: skip
    rows = {
        "tenants": [{"id": "acme", "name": "Acme", "created_at": created, "version": 1}],
        "users": [{**user, "password_hash": "older", "version": 1}, {**user, "version": 2}],
        "api_keys": [*keys, {**keys[1], "revoked_at": _time(NOW), "version": 2}],
        "api_key_uses": [
            {"tenant": "acme", "key_id": KEY.key_id, "last_used_at": NOW // 10**9 + delta} for delta in (-60, 0)
        ],
        "audit_log": [*(_event(number) for number in range(50)), _event(7), _event(99, tenant="", action="sign_out")],
    }
    for table, documents in rows.items():
        body = "".join(json.dumps(document) + "\n" for document in documents).encode()
        await clickhouse.insert_raw(f"INSERT INTO {table}", body, "JSONEachRow")
    return clickhouse


@pytest.fixture
async def store(control_settings: ControlSettings) -> AsyncIterator[ControlStore]:
    await migrate_gateway(control_settings)
    async with open_control_store(control_settings, "api_gateway") as opened:
        yield opened


async def run(legacy: ClickHouse, store: ControlStore, said: list[str] | None = None) -> int:
    report = (lambda _: None) if said is None else said.append
    return await import_from_clickhouse(legacy, store, FakeClock(NOW), report, page_rows=7)


async def test_everything_is_taken_over_once_audit_history_included(legacy: ClickHouse, store: ControlStore) -> None:
    said: list[str] = []
    assert await run(legacy, store, said) == 51  # the record that was written twice is one
    assert said == ["took over 1 users and 2 API keys", "took over 51 records of the audit log"]
    assert await run(legacy, store, said) == 0
    control_plane = ControlPlane(store, FakeClock(NOW))
    user = await control_plane.user_by_email("Ada@acme.example")
    assert user is not None
    assert (user.id, user.tenant, user.roles, user.created) == ("u1", "acme", {"admin"}, NOW - 10**15)
    assert QUICK_HASHER.verify(user.password_hash, PASSWORD)
    created = NOW - 10**15
    assert await control_plane.api_keys("acme") == [
        StoredApiKey(KEY, hash_api_key(KEY_TEXT), "user:u1", created, NOW // 10**9 * 10**9)
    ]
    (revoked,) = await control_plane.api_keys("orphans")
    assert (revoked.key.revoked, revoked.last_used) == (True, None)
    assert {change.key.key_id for change in (await control_plane.key_changes("", -1)).changes} == {KEY.key_id}
    events = await control_plane.audit_events("acme")
    assert [event.request_id[:1] for event in events] == ["r"] * 50
    assert sorted(event.request_id for event in events) == [f"r{number:04d}" for number in range(50)]
    assert [event.action for event in await control_plane.audit_events("")] == ["sign_out"]
    assert await control_plane.signed_in_from("ada@acme.example", "192.0.2.1")


async def test_it_goes_on_where_it_was_cut_off(
    legacy: ClickHouse, store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, pages = legacy.query, 0

    async def breaks_off(statement: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal pages
        pages += statement.name == "legacy_audit_events"
        if pages == 3:
            raise StoreUnavailable("away")
        return await query(statement, *arguments, **named)

    monkeypatch.setattr(legacy, "query", breaks_off)
    with pytest.raises(StoreUnavailable):
        await run(legacy, store)
    assert len(await ControlPlane(store, FakeClock(NOW)).audit_events("acme")) == 14
    pages = 10
    assert await run(legacy, store) == 37
    assert len(await ControlPlane(store, FakeClock(NOW)).audit_events("acme")) == 50


async def test_what_changed_since_is_not_undone_and_the_old_tables_stay(
    legacy: ClickHouse, store: ControlStore
) -> None:
    await run(legacy, store)
    control_plane = ControlPlane(store, FakeClock(NOW))
    await control_plane.revoke_api_key("acme", KEY.key_id)
    changed = await control_plane.change_password("u1", "new hash", None)
    await run(legacy, store)
    assert (await control_plane.api_keys("acme"))[0].key.revoked
    assert await control_plane.user_by_email("ada@acme.example") == changed
    assert await legacy.query("SELECT count() AS rows FROM audit_log") == [{"rows": 52}]


async def test_an_installation_without_a_past_has_nothing_to_take_over(
    clickhouse: ClickHouse, store: ControlStore
) -> None:
    await create_schema(clickhouse)
    said: list[str] = []
    assert (await run(clickhouse, store, said), said) == (0, [])
    await bootstrap(
        store, FakeClock(), tenant="default", admin_email="a@b.example", admin_password=PASSWORD, api_key=KEY_TEXT
    )
    assert await run(clickhouse, store, said) == 0
