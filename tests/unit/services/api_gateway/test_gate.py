"""Who gets through, who does not, and what still works while a part is away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.auth.identity import Identity, sign_identity
from libs.common.errors import ControlStoreUnavailable
from libs.common.settings import IdentitySettings
from services.api_gateway.bootstrap import bootstrap
from services.api_gateway.sessions import LIFETIME_SECONDS
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import (
    IDENTITY_SECRET,
    PASSWORD,
    SAME_ORIGIN,
    GatewayUnderTest,
    bearer,
    gateway_on_fakes,
    session_cookie,
    until,
)


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayUnderTest]:
    async with gateway_on_fakes() as running:
        yield running


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:airis:error:")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"), ("GET", "/api/"), ("GET", "/api/v1/services"), ("POST", "/api/v1/services"),
        ("GET", "/api/v1/traces/abc"), ("GET", "/api/v1/auth/me"), ("POST", "/api/v1/auth/sign-out"),
        ("GET", "/api/v1/auth/sign-in"), ("GET", "/api/v1/api-keys"), ("POST", "/api/v1/api-keys"),
        ("DELETE", "/api/v1/api-keys/aaaaaaaaaaaa"), ("GET", "/api/openapi.json"), ("GET", "/api/docs"),
        ("GET", "/api/docs/swagger-ui.css"), ("GET", "/api/nothing"), ("DELETE", "/api/v1/anything"),
        ("GET", "/api%2Fv1%2Fservices"), ("HEAD", "/api/v1/services"),
    ],
)  # fmt: skip
async def test_everything_under_api_asks_who_you_are(gateway: GatewayUnderTest, method: str, path: str) -> None:
    answer = await gateway.script.request(method, path, content=b"{not json" if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic YWRhOng=", "airis_aaaaaaaaaaaa_" + "A" * 43, "Bearer airis_x_y",
     "Bearer airis_aaaaaaaaaaaa_" + "A" * 43, "Bearer a b c", "\xff", "Bearer \xff"],
)  # fmt: skip
async def test_a_wrong_key_is_refused_even_beside_a_good_session(gateway: GatewayUnderTest, authorization: str) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    headers = {"Authorization": authorization.encode("latin-1")}
    assert problem(await gateway.browser.get("/api/v1/services", headers=headers)) == (401, "unauthenticated")


async def test_a_key_goes_before_a_session(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    await gateway.add_tenant("globex")
    answer = await gateway.browser.get("/api/v1/services", headers=bearer(await gateway.add_key("globex")))
    assert answer.json()["identity"]["tenant"] == "globex"


async def test_a_person_reads_as_the_user_that_signed_in(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    answer = (await gateway.browser.get("/api/v1/traces/0af7?x=%2F&x=1")).json()
    assert answer["identity"] == {
        "subject": "user:id-acme", "tenant": "acme", "roles": ["admin"], "scopes": ["read"],
    }  # fmt: skip
    assert (answer["path"], answer["query"]) == ("/api/v1/traces/0af7", "x=%2F&x=1")
    names = {name for name, _ in answer["headers"]}
    assert not names & {"cookie", "authorization"}


async def test_nobody_can_bring_an_identity(gateway: GatewayUnderTest) -> None:
    await gateway.add_tenant("acme")
    secret = IdentitySettings(secret=IDENTITY_SECRET).secret
    forged = sign_identity(
        Identity("user:root", "globex", frozenset({"admin"})), secret, gateway.clock, audience="analytics"
    )
    for name in ("X-Airis-Identity", "x_airis_identity", "X-AIRIS_Identity"):
        answer = await gateway.script.get("/api/v1/services", headers={name: forged})
        assert problem(answer) == (401, "unauthenticated")
        key = await gateway.add_key("acme")
        answer = (await gateway.script.get("/api/v1/services", headers={name: forged} | bearer(key))).json()
        assert answer["identity"]["tenant"] == "acme"
        assert forged not in {value for _, value in answer["headers"]}
        for path in ("/", "/v1/traces"):
            answer = await gateway.script.request("GET" if path == "/" else "POST", path, headers={name: forged})
            assert forged not in answer.text


async def test_an_identity_is_no_key_and_no_session(gateway: GatewayUnderTest) -> None:
    secret = IdentitySettings(secret=IDENTITY_SECRET).secret
    forged = sign_identity(
        Identity("user:root", "acme", frozenset({"admin"})), secret, gateway.clock, audience="analytics"
    )
    for headers in (bearer(forged), {"Cookie": f"airis_session={forged}"}):
        assert problem(await gateway.script.get("/api/v1/services", headers=headers)) == (401, "unauthenticated")


async def test_a_key_that_may_only_ingest_reads_nothing(gateway: GatewayUnderTest) -> None:
    key = await gateway.add_key("acme", "ingest")
    assert problem(await gateway.script.get("/api/v1/services", headers=bearer(key))) == (403, "forbidden")


async def test_keys_do_not_manage_keys_and_neither_does_everybody(gateway: GatewayUnderTest) -> None:
    key = bearer(await gateway.add_key("acme"))
    new = {"name": "x", "scopes": ["read"]}
    for send in (
        gateway.script.get("/api/v1/api-keys", headers=key),
        gateway.script.post("/api/v1/api-keys", headers=key, json=new),
        gateway.script.delete("/api/v1/api-keys/aaaaaaaaaaaa", headers=key),
        gateway.script.get("/api/v1/auth/me", headers=key),
        gateway.script.post("/api/v1/auth/sign-out", headers=key),
    ):
        assert problem(await send) == (403, "forbidden")
    await gateway.sign_in(await gateway.add_tenant("globex", roles=frozenset({"viewer"})))
    assert problem(await gateway.browser.get("/api/v1/api-keys")) == (403, "forbidden")
    assert problem(await gateway.browser.post("/api/v1/api-keys", json=new)) == (403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"name":"x"}', b'{"name":"","scopes":["read"]}', b"\xff",
     b'{"name":"  ","scopes":["read"]}', b'{"name":"x","scopes":[]}', b'{"name":"x","scopes":["admin"]}',
     b'{"name":"x","scopes":"read"}', b'{"name":"x","scopes":["read"],"tenant":"globex"}',
     b'{"name":"x","scopes":["read","read","read"]}', b'{"name":7,"scopes":["read"]}', b"[" * 2000],
)  # fmt: skip
async def test_a_key_that_makes_no_sense_is_not_made(gateway: GatewayUnderTest, body: bytes) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    answer = await gateway.browser.post("/api/v1/api-keys", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, "invalid-request")
    assert await gateway.control_plane.api_keys("acme") == []


async def test_a_loop_that_makes_keys_is_stopped(gateway: GatewayUnderTest, monkeypatch) -> None:
    monkeypatch.setattr("services.api_gateway.routes.api_keys.MAX_VALID_KEYS", 2)
    await gateway.sign_in(await gateway.add_tenant("acme"))
    new = {"name": "x", "scopes": ["read"]}
    made = [await gateway.browser.post("/api/v1/api-keys", json=new) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    await gateway.browser.delete(f"/api/v1/api-keys/{made[0].json()['key_id']}")
    assert (await gateway.browser.post("/api/v1/api-keys", json=new)).status_code == 201


async def test_a_key_that_was_not_written_down_is_not_made(gateway: GatewayUnderTest, monkeypatch) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))

    async def no_audit(*_: object) -> None:
        raise ControlStoreUnavailable("full")

    monkeypatch.setattr(gateway.control_plane, "_record", no_audit)
    answer = await gateway.browser.post("/api/v1/api-keys", json={"name": "x", "scopes": ["read"]})
    assert problem(answer) == (503, "control-store-unavailable")
    assert "airis_" not in answer.text
    assert await gateway.control_plane.api_keys("acme") == []


@pytest.mark.parametrize("key_id", ["x", "AAAAAAAAAAAA", "aaaaaaaaaaa1", "aaaaaaaaaaaa'", "%00"])
async def test_what_is_no_key_id_is_said_to_be_none(gateway: GatewayUnderTest, key_id: str) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    assert problem(await gateway.browser.delete(f"/api/v1/api-keys/{key_id}")) == (400, "invalid-request")


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/api/v1/services", "POST", "GET, HEAD"),
        ("/api/v1/services/shop", "DELETE", "GET, HEAD"),
        ("/api/v1/api-keys", "PATCH", "GET, POST"),
        ("/api/v1/api-keys/aaaaaaaaaaaa", "GET", "DELETE"),
        ("/api/v1/auth/sign-in", "GET", "POST"),
        ("/v1/traces", "GET", "OPTIONS, POST"),
        ("/", "POST", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    gateway: GatewayUnderTest, path: str, method: str, allowed: str
) -> None:
    answer = await gateway.script.request(method, path, headers=bearer(await gateway.add_key("acme")))
    assert problem(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


async def test_limits_are_told_before_they_hurt_and_when_they_do() -> None:
    async with gateway_on_fakes(GatewaySettings(rate_limit_per_second=1, rate_limit_burst=2)) as gateway:
        key = bearer(await gateway.add_key("acme"))
        answers = [await gateway.script.get("/api/v1/services", headers=key) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["ratelimit"] for answer in answers] == [
            '"api";r=1;t=1', '"api";r=0;t=2', '"api";r=0;t=2',
        ]  # fmt: skip
        assert answers[2].headers["ratelimit-policy"] == '"api";q=2;w=2'
        assert answers[2].headers["retry-after"] == "1"
        gateway.clock.move(1)
        assert (await gateway.script.get("/api/v1/services", headers=key)).status_code == 200


async def test_without_redis_reading_and_signing_in_go_on_within_limits_of_one_gateway(
    gateway: GatewayUnderTest,
) -> None:
    email = await gateway.add_tenant("acme")
    key = bearer(await gateway.add_key("acme"))
    gateway.redis.down = True
    answers = [(await gateway.script.get("/api/v1/services", headers=key)).status_code for _ in range(302)]
    assert answers == [200] * 300 + [429] * 2
    decisions = "airis_gateway_rate_limit_decisions_total"
    assert gateway.metric(decisions, limit="api", decision="allowed_alone") == 300
    assert (await gateway.sign_in(email)).status_code == 204
    assert (await gateway.browser.get("/api/v1/auth/me")).status_code == 200
    # Signed in from here, so only this pair's own bucket counts.
    assert [(await gateway.sign_in(email, "guess")).status_code for _ in range(5)] == [401] * 4 + [429]
    gateway.clock.move(30)
    assert (await gateway.sign_in(email)).status_code == 204


async def test_without_redis_a_sign_out_still_ends_every_copy(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    gateway.redis.down, stolen = True, session_cookie(gateway.browser)
    assert (await gateway.browser.post("/api/v1/auth/sign-out")).status_code == 204
    assert problem(await gateway.script.get("/api/v1/auth/me", headers=stolen)) == (401, "unauthenticated")


async def test_without_the_store_a_session_is_not_renewed(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    gateway.store.down = True
    gateway.clock.move(LIFETIME_SECONDS - 1)
    answer = await gateway.browser.get("/api/v1/services")
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert gateway.metric("airis_gateway_session_checks_skipped_total") == 1
    gateway.clock.move(1)
    assert (await gateway.browser.get("/api/v1/services")).status_code == 401


async def test_without_the_store_a_sign_out_tells_the_truth(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    gateway.store.down = True
    answer = await gateway.browser.post("/api/v1/auth/sign-out")
    assert problem(answer) == (503, "session-not-revoked")
    assert answer.headers["retry-after"] == "5"
    assert gateway.browser.cookies.get("airis_session") is None


async def test_without_the_store_known_keys_and_open_sessions_go_on(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    key = await gateway.add_key("acme")
    await gateway.script.get("/api/v1/services", headers=bearer(key))
    other = await gateway.add_key("acme")
    await gateway.sign_in(email)
    gateway.store.down = True
    gateway.clock.move(LIFETIME_SECONDS / 2 + 1)
    assert (await gateway.script.get("/api/v1/services", headers=bearer(key))).status_code == 200
    assert (await gateway.browser.get("/api/v1/services")).status_code == 200
    answer = await gateway.script.get("/api/v1/services", headers=bearer(other))
    assert problem(answer) == (503, "control-store-unavailable")
    assert "retry-after" in answer.headers
    assert problem(await gateway.sign_in(email)) == (503, "control-store-unavailable")


async def test_a_sign_in_that_cannot_be_written_down_does_not_happen(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")

    async def no_audit() -> None:
        gateway.store.down = gateway.store.asked["audit"] > 0

    gateway.store.before = no_audit
    answer = await gateway.sign_in(email)
    assert problem(answer) == (503, "control-store-unavailable")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"[]", b'{"email":"a"}', b'{"email":"","password":"x"}', b'{"email":"a","password":""}',
     b'{"email":1,"password":"x"}', b'{"email":"a","password":"x","tenant":"y"}', b"\xff\xfe",
     b'{"email":"' + b"a" * 300 + b'","password":"x"}', b'{"email":"a","password":"' + b"x" * 1025 + b'"}'],
)  # fmt: skip
async def test_a_sign_in_that_makes_no_sense_is_a_bad_request(gateway: GatewayUnderTest, body: bytes) -> None:
    answer = await gateway.browser.post(
        "/api/v1/auth/sign-in", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (400, "invalid-request")
    assert "xxxx" not in answer.text


async def test_half_a_surrogate_pair_is_a_wrong_password_and_no_failure(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    for body in (f'{{"email":"{email}","password":"\\ud800 and more"}}', '{"email":"\\ud800","password":"x"}'):
        answer = await gateway.browser.post(
            "/api/v1/auth/sign-in", content=body.encode(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 401}, answer.text


async def test_forms_and_plain_text_do_not_sign_in(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    text = f'{{"email":"{email}","password":"{PASSWORD}"}}'
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await gateway.script.post("/api/v1/auth/sign-in", content=text, headers={"Content-Type": media_type})
        assert problem(answer) == (400, "invalid-request")


async def test_another_site_cannot_sign_a_browser_in(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    credentials = {"email": email, "password": PASSWORD}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = await gateway.script.post("/api/v1/auth/sign-in", json=credentials, headers=headers)
        assert problem(answer) == (403, "cross-site-request")
    assert (await gateway.script.post("/api/v1/auth/sign-in", json=credentials)).status_code == 204


async def test_other_sites_cannot_change_anything_and_may_send_people_here(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    cookie = session_cookie(gateway.browser)
    new = {"name": "x", "scopes": ["read"]}
    for headers in ({}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
        answer = await gateway.script.post("/api/v1/api-keys", json=new, headers=cookie | headers)
        assert problem(answer) == (403, "cross-site-request")
    assert await gateway.control_plane.api_keys("acme") == []
    answer = await gateway.script.get("/api/v1/services", headers=cookie | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    answer = await gateway.script.post("/api/v1/api-keys", json=new, headers=cookie | SAME_ORIGIN)
    assert answer.status_code == 201


async def test_a_flood_of_sign_ins_is_turned_away_before_it_is_hashed(gateway: GatewayUnderTest) -> None:
    check = gateway.state["sign_in"]._passwords
    release, started = asyncio.Event(), 0

    async def slow(stored: str | None, password: str) -> bool:
        nonlocal started
        started += 1
        await release.wait()
        return False

    check._passwords.verify = slow
    tasks = [asyncio.create_task(gateway.sign_in(f"user{number}@acme.example")) for number in range(40)]
    await until(lambda: started + sum(task.done() for task in tasks) == 40)
    assert started == check._limit == 18
    release.set()
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*tasks))
    assert statuses == [401] * 18 + [429] * 22
    assert gateway.metric("airis_gateway_sign_ins_total", outcome="limited") == 22


async def test_one_address_cannot_try_many_accounts_for_long(gateway: GatewayUnderTest) -> None:
    answers = [await gateway.sign_in(f"user{number}@acme.example", "x") for number in range(52)]
    assert [answer.status_code for answer in answers] == [401] * 50 + [429] * 2
    # What was limited is counted and not written, so that a flood cannot fill the log.
    assert len(await gateway.audit("")) == 50


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_any_cookie_header_is_answered(cookie: str) -> None:
    async def ask() -> httpx.Response:
        async with gateway_on_fakes() as gateway:
            headers = {"Cookie": cookie.encode("latin-1")}
            return await gateway.script.get("/api/v1/auth/me", headers=headers)

    assert asyncio.run(ask()).status_code == 401


async def test_of_two_session_cookies_one_decides_and_none_escapes(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    good = session_cookie(gateway.browser)["Cookie"]
    answers = [
        await gateway.script.get("/api/v1/services", headers={"Cookie": cookie})
        for cookie in (f"a=b; {good}", f"{good}; airis_session=x", f'airis_session="x"; {good}')
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200]


async def test_a_body_past_the_limit_is_refused_before_it_is_parsed() -> None:
    async with gateway_on_fakes(GatewaySettings(max_body_bytes=1024)) as gateway:
        await gateway.sign_in(await gateway.add_tenant("acme"))

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        for content in (b" " * 1025, chunks()):
            answer = await gateway.browser.post(
                "/api/v1/api-keys", content=content, headers={"Content-Type": "application/json"}
            )
            assert problem(answer) == (413, "payload-too-large")
        answer = await gateway.script.post("/api/v1/auth/sign-in", content=b" " * 1025)
        assert problem(answer) == (413, "payload-too-large")


async def test_over_tls_the_cookie_stays_there() -> None:
    settings = GatewaySettings(trusted_proxies="203.0.113.0/24")
    async with gateway_on_fakes(settings) as gateway:
        credentials = {"email": await gateway.add_tenant("acme"), "password": PASSWORD}
        for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
            answer = await gateway.script.post("/api/v1/auth/sign-in", json=credentials, headers=headers)
            cookie = answer.headers["set-cookie"]
            assert ("; Secure" in cookie, cookie.startswith("__Host-airis_session=")) == (secure, secure)
    async with gateway_on_fakes(GatewaySettings(secure_cookies=True)) as gateway:
        answer = await gateway.sign_in(await gateway.add_tenant("acme"))
        assert "; Secure" in answer.headers["set-cookie"]
        assert answer.headers["set-cookie"].startswith("__Host-airis_session=")
        token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        for name, status in (("__Host-airis_session", 200), ("airis_session", 401)):
            me = await gateway.script.get("/api/v1/auth/me", headers={"Cookie": f"{name}={token}"})
            assert me.status_code == status
        assert "max-age=31536000" in answer.headers["strict-transport-security"]


async def test_other_origins_are_let_in_only_when_named() -> None:
    preflight = {"Origin": "https://grafana.example", "Access-Control-Request-Method": "GET"}
    async with gateway_on_fakes() as gateway:
        answer = await gateway.script.options("/api/v1/services", headers=preflight)
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (401, False)
    async with gateway_on_fakes(GatewaySettings(cors_origins="https://grafana.example")) as gateway:
        answer = await gateway.script.options("/api/v1/services", headers=preflight)
        assert answer.headers["access-control-allow-origin"] == "https://grafana.example"
        assert "access-control-allow-credentials" not in answer.headers
        answer = await gateway.script.options("/api/v1/services", headers=preflight | {"Origin": "https://e.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_a_disabled_administrator_stays_disabled_whatever_an_installation_starts_with(
    gateway: GatewayUnderTest,
) -> None:
    key = await gateway.add_key("default")
    values = {"tenant": "default", "admin_email": "a@b.example", "admin_password": PASSWORD, "api_key": key}
    await bootstrap(gateway.store, gateway.clock, **values)
    user = await gateway.control_plane.user_by_email("a@b.example")
    assert user is not None
    await gateway.control_plane.put_user(replace(user, disabled=True), replaces=user)
    await bootstrap(gateway.store, gateway.clock, **(values | {"admin_password": "another password"}))
    for password in (PASSWORD, "another password"):
        assert problem(await gateway.sign_in("a@b.example", password)) == (401, "invalid-credentials")


async def test_who_is_signed_in_learns_where_to_send_telemetry() -> None:
    settings = GatewaySettings(otlp_http="https://otlp.example", otlp_grpc="otlp.example:4317")
    async with gateway_on_fakes(settings) as gateway:
        assert (await gateway.sign_in(await gateway.add_tenant("acme"))).status_code == 204
        me = (await gateway.browser.get("/api/v1/auth/me")).json()
        assert me["otlp"] == {"http": "https://otlp.example", "grpc": "otlp.example:4317"}
