"""Signing in and out, keys, tenants kept apart: on SQLite, and on PostgreSQL and Redis."""

import asyncio
from dataclasses import replace

import pytest

from libs.common.auth.api_keys import generate_api_key
from libs.common.auth.key_ring import KeyRing
from libs.common.errors import Conflict
from services.api_gateway.bootstrap import InvalidBootstrap, bootstrap
from services.api_gateway.repository import AuditEvent
from services.api_gateway.sessions import LIFETIME_SECONDS
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import PASSWORD, SAME_ORIGIN, GatewayUnderTest, bearer, session_cookie


def problem(answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:airis:error:")


async def audit(gateway: GatewayUnderTest, tenant: str) -> list[tuple[str, str, str, str]]:
    events: list[AuditEvent] = await gateway.control_plane.audit_events(tenant)
    assert all(event.address == "203.0.113.7" and event.request_id for event in events)
    return [(event.action, event.outcome, event.subject, event.target) for event in events]


async def test_sign_in_opens_the_product_and_sign_out_closes_it(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    answer = await gateway.sign_in(f"  {email.upper()} ")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
    assert "Secure" not in answer.headers["set-cookie"]

    me = await gateway.browser.get("/api/v1/auth/me")
    assert me.json() == {"email": email, "tenant": {"id": "acme", "name": "Acme"}, "roles": ["admin"], "otlp": None}
    assert me.headers["cache-control"] == "no-store"

    stolen = session_cookie(gateway.browser)
    gateway.clock.move(1)
    answer = await gateway.browser.post("/api/v1/auth/sign-out")
    assert (answer.status_code, gateway.browser.cookies.get("airis_session")) == (204, None)
    assert problem(await gateway.browser.get("/api/v1/auth/me")) == (401, "unauthenticated")
    answer = await gateway.script.get("/api/v1/auth/me", headers=stolen)
    assert problem(answer) == (401, "unauthenticated")
    assert "sign-out" in answer.json()["detail"]
    assert await audit(gateway, "acme") == [
        ("sign_in", "ok", "user:id-acme", email),
        ("sign_out", "ok", "user:id-acme", email),
    ]


async def test_a_refused_sign_in_says_nothing_about_who_exists(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    wrong = await gateway.sign_in(email, "wrong horse battery")
    unknown = await gateway.sign_in("eve@acme.example", PASSWORD)
    for answer in (wrong, unknown):
        assert problem(answer) == (401, "invalid-credentials")
        assert "set-cookie" not in answer.headers
        assert "www-authenticate" in answer.headers
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert await audit(gateway, "acme") == [("sign_in", "invalid-credentials", "", email)]
    assert await audit(gateway, "") == [("sign_in", "invalid-credentials", "", "eve@acme.example")]


async def test_guessing_passwords_is_stopped_per_account_and_address(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    other = await gateway.add_tenant("globex")
    answers = [await gateway.sign_in(email, "guess number x") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert problem(answers[-1]) == (429, "rate-limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30
    assert problem(await gateway.sign_in(email)) == (429, "rate-limited")
    assert (await gateway.sign_in(other)).status_code == 204


async def test_a_session_is_renewed_while_used_and_only_for_users_who_still_may(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    await gateway.sign_in(email)
    gateway.clock.move(LIFETIME_SECONDS / 2 + 1)
    answer = await gateway.browser.get("/api/v1/auth/me")
    assert "Max-Age=900" in answer.headers["set-cookie"]
    assert "set-cookie" not in (await gateway.browser.get("/api/v1/auth/me")).headers

    user = await gateway.control_plane.user_by_email(email)
    assert user is not None
    await gateway.control_plane.put_user(replace(user, roles=frozenset({"viewer"})), replaces=user)
    assert (await gateway.browser.get("/api/v1/auth/me")).json()["roles"] == ["viewer"]

    with pytest.raises(Conflict, match="changed by somebody else"):
        await gateway.control_plane.put_user(user, replaces=user)
    latest = await gateway.control_plane.user_by_email(email)
    assert latest is not None
    await gateway.control_plane.put_user(replace(latest, disabled=True), replaces=latest)
    answer = await gateway.browser.get("/api/v1/auth/me")
    assert problem(answer) == (401, "unauthenticated")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert problem(await gateway.sign_in(email)) == (401, "invalid-credentials")


async def test_a_key_lives_from_its_making_to_its_revocation(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    gateway.clock.move(1)
    answer = await gateway.browser.post("/api/v1/api-keys", json={"name": " ci ", "scopes": ["read", "read"]})
    assert answer.status_code == 201
    made = answer.json()
    text = made.pop("key")
    assert text.startswith(f"airis_{made['key_id']}_")
    assert (made["name"], made["scopes"], made["created_by"]) == ("ci", ["read"], "user:id-acme")
    assert made["created_at_unix_nano"] == str(gateway.clock.now_ns())

    answer = await gateway.script.get("/api/v1/services", headers=bearer(text))
    assert answer.json()["identity"] == {
        "subject": f"key:{made['key_id']}", "tenant": "acme", "roles": [], "scopes": ["read"],
    }  # fmt: skip
    (listed,) = (await gateway.browser.get("/api/v1/api-keys")).json()["api_keys"]
    assert listed.pop("last_used_unix_nano") == str(gateway.clock.now_ns() // 10**9 * 10**9)
    assert made.pop("last_used_unix_nano") is None
    assert listed == made

    elsewhere = KeyRing(gateway.control_plane, gateway.clock, pace_seconds=0)  # another gateway, or the receiver
    assert await elsewhere.lookup(text) is not None
    gateway.clock.move(1)
    for _ in range(2):
        assert (await gateway.browser.delete(f"/api/v1/api-keys/{made['key_id']}")).status_code == 204
    assert problem(await gateway.script.get("/api/v1/services", headers=bearer(text))) == (401, "unauthenticated")
    await elsewhere.refresh()
    assert await elsewhere.lookup(text) is None
    assert (await gateway.browser.get("/api/v1/api-keys")).json() == {"api_keys": []}
    assert (await audit(gateway, "acme"))[1:] == [
        ("api_key.create", "ok", "user:id-acme", made["key_id"]),
        ("api_key.revoke", "ok", "user:id-acme", made["key_id"]),
    ]


async def test_tenants_do_not_see_or_touch_each_other(gateway: GatewayUnderTest) -> None:
    acme, globex = await gateway.add_tenant("acme"), await gateway.add_tenant("globex")
    await gateway.sign_in(acme)
    made = (await gateway.browser.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["read"]})).json()

    await gateway.sign_in(globex)
    assert (await gateway.browser.get("/api/v1/api-keys")).json() == {"api_keys": []}
    answer = await gateway.browser.delete(f"/api/v1/api-keys/{made['key_id']}")
    assert problem(answer) == (404, "not-found")
    answer = await gateway.script.get("/api/v1/services", headers=bearer(made["key"]))
    assert answer.json()["identity"]["tenant"] == "acme"
    for attempt in ({"tenant": "acme"}, {"X-Airis-Tenant": "acme"}, {"X-Scope-OrgID": "acme"}):
        answer = await gateway.browser.get("/api/v1/services", headers=attempt, params={"tenant": "acme"})
        assert answer.json()["identity"]["tenant"] == "globex"


async def test_bootstrap_makes_what_is_missing_and_leaves_what_is_there(gateway: GatewayUnderTest) -> None:
    key = generate_api_key(tenant="default", name="x", scopes=["read"])[1]
    values = {"tenant": "default", "admin_email": "Admin@Airis.example", "admin_password": PASSWORD, "api_key": key}
    for _ in range(3):
        await bootstrap(gateway.store, gateway.clock, **values)
        gateway.clock.move(1)
    user = await gateway.control_plane.user_by_email("admin@airis.example")
    assert user is not None
    (stored,) = await gateway.control_plane.api_keys("default")
    assert stored.key.scopes == {"ingest", "read"}

    assert (await gateway.sign_in("admin@airis.example")).status_code == 204
    me = (await gateway.browser.get("/api/v1/auth/me")).json()
    assert (me["email"], me["tenant"], me["roles"]) == (
        "admin@airis.example", {"id": "default", "name": "Default"}, ["admin"]
    )  # fmt: skip
    assert (await gateway.script.get("/api/v1/services", headers=bearer(key))).status_code == 200


async def test_bootstrap_replaces_what_run_json_says_otherwise(gateway: GatewayUnderTest) -> None:
    first, second = (generate_api_key(tenant="default", name="x", scopes=["read"])[1] for _ in range(2))
    values = {"tenant": "default", "admin_email": "admin@airis.example"}
    await bootstrap(gateway.store, gateway.clock, **values, admin_password="first password", api_key=first)
    before = await gateway.control_plane.user_by_email("admin@airis.example")
    await bootstrap(gateway.store, gateway.clock, **values, admin_password="second password", api_key=second)
    after = await gateway.control_plane.user_by_email("admin@airis.example")
    assert before is not None
    assert after is not None
    assert (after.id, after.created) == (before.id, before.created)
    assert (await gateway.sign_in(after.email, "first password")).status_code == 401
    assert (await gateway.sign_in(after.email, "second password")).status_code == 204
    assert (await gateway.script.get("/api/v1/services", headers=bearer(first))).status_code == 401
    assert (await gateway.script.get("/api/v1/services", headers=bearer(second))).status_code == 200


async def test_bootstrap_does_not_undo_a_revocation(gateway: GatewayUnderTest) -> None:
    key = generate_api_key(tenant="default", name="x", scopes=["read"])[1]
    values = {"tenant": "default", "admin_email": "a@b.example", "admin_password": PASSWORD, "api_key": key}
    await bootstrap(gateway.store, gateway.clock, **values)
    (stored,) = await gateway.control_plane.api_keys("default")
    assert await gateway.control_plane.revoke_api_key("default", stored.key.key_id)
    await bootstrap(gateway.store, gateway.clock, **values)
    assert (await gateway.script.get("/api/v1/services", headers=bearer(key))).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "Not A Slug"},
        {"tenant": ""},
        {"admin_email": "admin"},
        {"admin_password": "short"},
        {"admin_password": "x" * 1025},
        {"api_key": "x"},
    ],
)
async def test_bootstrap_says_what_it_cannot_start_with(gateway: GatewayUnderTest, wrong: dict[str, str]) -> None:
    key = generate_api_key(tenant="default", name="x", scopes=["read"])[1]
    values = {"tenant": "default", "admin_email": "a@b.example", "admin_password": PASSWORD, "api_key": key}
    with pytest.raises(InvalidBootstrap):
        await bootstrap(gateway.store, gateway.clock, **(values | wrong))
    assert await gateway.control_plane.tenant("default") is None


async def test_an_administrator_of_another_tenant_is_not_moved(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    key = generate_api_key(tenant="default", name="x", scopes=["read"])[1]
    with pytest.raises(InvalidBootstrap, match="another tenant"):
        await bootstrap(
            gateway.store, gateway.clock, tenant="default", admin_email=email, admin_password=PASSWORD, api_key=key
        )
    assert (await gateway.sign_in(email)).status_code == 204


async def test_what_is_stored_is_stored_as_it_was_sent(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    name = 'it\'s {a:String} \\ key; -- \N{SNOWMAN} "x" `y` \t'
    await gateway.browser.post("/api/v1/api-keys", json={"name": name, "scopes": ["ingest"]})
    (listed,) = (await gateway.browser.get("/api/v1/api-keys")).json()["api_keys"]
    assert listed["name"] == name.strip()
    for email in ("' OR 1=1 --", "ada@acme.example' UNION ALL SELECT", "{email:String}", "\\"):
        assert problem(await gateway.sign_in(email)) == (401, "invalid-credentials")


# One comes back in ten seconds, so that no machine is slow enough to never meet the limit.
@pytest.mark.parametrize("gateway_settings", [GatewaySettings(rate_limit_per_second=0.1, rate_limit_burst=20)])
async def test_requests_of_one_key_share_a_bucket_of_the_burst(gateway: GatewayUnderTest) -> None:
    await gateway.add_tenant("acme")
    key, other = await gateway.add_key("acme"), await gateway.add_key("acme")
    answers = await asyncio.gather(*(gateway.script.get("/api/v1/services", headers=bearer(key)) for _ in range(40)))
    limited = [answer for answer in answers if answer.status_code == 429]
    passed = [answer for answer in answers if answer.status_code == 200]
    assert 20 <= len(passed) < 40
    assert len(passed) + len(limited) == 40
    assert problem(limited[0]) == (429, "rate-limited")
    assert limited[0].headers["ratelimit-policy"] == '"api";q=20;w=200'
    assert int(limited[0].headers["retry-after"]) >= 1
    assert (await gateway.script.get("/api/v1/services", headers=bearer(other))).status_code == 200


async def test_sign_out_needs_our_own_page(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    cookie = session_cookie(gateway.browser)
    for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await gateway.script.post("/api/v1/auth/sign-out", headers=cookie | headers)
        assert problem(answer) == (403, "cross-site-request")
    assert (await gateway.browser.get("/api/v1/auth/me")).status_code == 200
    answer = await gateway.script.post("/api/v1/auth/sign-out", headers=cookie | SAME_ORIGIN)
    assert answer.status_code == 204
