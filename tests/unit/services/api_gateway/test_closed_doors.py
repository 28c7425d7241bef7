"""Passwords, guesses and names: what a stranger tries, and what it costs the people who belong here."""

import httpx
import pytest

from services.api_gateway.allowed_hosts import is_allowed
from services.api_gateway.gate import UNKNOWN_KEYS
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import PASSWORD, GatewayUnderTest, bearer, gateway_on_fakes, session_cookie, with_state

NEW = "another battery staple"
UNKNOWN = "airis_aaaaaaaaaaaa_" + "A" * 43


@pytest.fixture
async def gateway():
    async with gateway_on_fakes() as running:
        yield running


def from_address(gateway: GatewayUnderTest, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(with_state(gateway.app, gateway.state), client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def change(gateway: GatewayUnderTest, current: str, new: str) -> httpx.Response:
    passwords = {"current_password": current, "new_password": new}
    return await gateway.browser.post("/api/v1/auth/password", json=passwords)


async def test_a_new_password_ends_every_session_and_opens_one_here(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    await gateway.sign_in(email)
    elsewhere = session_cookie(gateway.browser)
    await gateway.sign_in(email)
    before = session_cookie(gateway.browser)
    gateway.clock.move(1)
    assert (await change(gateway, PASSWORD, NEW)).status_code == 204
    for old in (elsewhere, before):
        answer = await gateway.script.get("/api/v1/auth/me", headers=old)
        assert (answer.status_code, "password" in answer.json()["detail"]) == (401, True)
    assert (await gateway.browser.get("/api/v1/auth/me")).status_code == 200
    gateway.clock.move(60)
    assert (await gateway.sign_in(email)).status_code == 401
    assert (await gateway.sign_in(email, NEW)).status_code == 204
    events = [(event.action, event.outcome) for event in await gateway.audit("acme")]
    assert ("password.change", "ok") in events


async def test_a_stolen_cookie_is_no_password(gateway: GatewayUnderTest) -> None:
    await gateway.sign_in(await gateway.add_tenant("acme"))
    answers = [(await change(gateway, f"guess number {number}", NEW)).status_code for number in range(6)]
    assert answers == [401] * 4 + [429] * 2  # the sign-in took one
    gateway.clock.move(60)
    assert (await change(gateway, PASSWORD, "short")).status_code == 400
    answer = await gateway.script.post(
        "/api/v1/auth/password",
        json={"current_password": PASSWORD, "new_password": NEW},
        headers=session_cookie(gateway.browser),
    )
    assert answer.status_code == 403
    key = bearer(await gateway.add_key("acme"))
    answer = await gateway.script.post(
        "/api/v1/auth/password", json={"current_password": PASSWORD, "new_password": NEW}, headers=key
    )
    assert answer.status_code == 403
    assert (await gateway.browser.get("/api/v1/auth/me")).status_code == 200


async def test_a_stranger_with_many_addresses_is_slowed_down_and_locks_nobody_out(gateway: GatewayUnderTest) -> None:
    email = await gateway.add_tenant("acme")
    assert (await gateway.sign_in(email)).status_code == 204  # from 203.0.113.7
    statuses = []
    for number in range(40):
        async with from_address(gateway, f"198.51.100.{number}") as stranger:
            statuses.append((await gateway.sign_in(email, "a guess", client=stranger)).status_code)
    assert statuses == [401] * 20 + [429] * 20 or statuses == [401] * 19 + [429] * 21
    assert (await gateway.sign_in(email)).status_code == 204  # still from where the person signed in before
    async with from_address(gateway, "192.0.2.200") as hotel:
        answer = await gateway.sign_in(email, client=hotel)
        assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
        gateway.clock.move(31)  # one try comes back in 30 s, for whoever asks first
        assert (await gateway.sign_in(email, client=hotel)).status_code == 204
    # A neighbour of many addresses in one IPv6 network is one neighbour.
    other = await gateway.add_tenant("globex")
    statuses = []
    for number in range(6):
        async with from_address(gateway, f"2001:db8::{number + 1:x}") as stranger:
            statuses.append((await gateway.sign_in(other, "a guess", client=stranger)).status_code)
    assert statuses == [401] * 5 + [429]


async def test_unknown_keys_are_counted_per_address_and_good_ones_go_on(gateway: GatewayUnderTest) -> None:
    good = bearer(await gateway.add_key("acme"))
    answers = [
        await gateway.script.get("/api/v1/services", headers=bearer(UNKNOWN)) for _ in range(UNKNOWN_KEYS.burst + 3)
    ]
    assert [answer.status_code for answer in answers] == [401] * UNKNOWN_KEYS.burst + [429] * 3
    assert "retry-after" in answers[-1].headers
    assert (await gateway.script.get("/api/v1/services", headers=good)).status_code == 200
    async with from_address(gateway, "192.0.2.9") as other:
        assert (await other.get("/api/v1/services", headers=bearer(UNKNOWN))).status_code == 401
    assert gateway.store.asked["api_key.changes"] <= 3


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("localhost:3000", 200), ("LOCALHOST.:3000", 200), ("ui.localhost", 200), ("127.0.0.1:3000", 200),
        ("[::1]:3000", 200), ("10.0.0.7", 200), ("airis.example.org", 200), ("AIRIS.example.org:443", 200), ("a.b.example.net", 200),
        ("example.net", 200), ("evil.example", 421), ("airis.example.org.evil.example", 421), ("evilexample.net", 421),
        ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("[::1", 200), ("x" * 300, 421),
    ],
)  # fmt: skip
async def test_only_our_own_names_are_answered(host: str, status: int) -> None:
    async with gateway_on_fakes(GatewaySettings(allowed_hosts="airis.example.org, .example.net")) as gateway:
        answer = await gateway.script.get("/", headers={"Host": host})
        assert answer.status_code == status
        if status == 421:
            assert answer.json()["type"] == "urn:airis:error:unknown-host"
            assert "AIRIS_GATEWAY_ALLOWED_HOSTS" in answer.json()["detail"]


async def test_probes_and_our_services_go_by_any_name(gateway: GatewayUnderTest) -> None:
    for path in ("/livez", "/readyz"):
        assert (await gateway.script.get(path, headers={"Host": "gateway"})).status_code == 200
    assert (await gateway.script.get("/internal/v1/api-keys", headers={"Host": "gateway"})).status_code == 401
    assert (await gateway.script.get("/internal/other", headers={"Host": "gateway"})).status_code == 421


async def test_a_trusted_proxy_says_the_name_and_nobody_else_does() -> None:
    forwarded = {"X-Forwarded-Host": "airis.example.org"}
    for trusted, status in (("203.0.113.0/24", 200), ("", 421)):
        settings = GatewaySettings(allowed_hosts="airis.example.org", trusted_proxies=trusted)
        async with gateway_on_fakes(settings) as gateway:
            assert (await gateway.script.get("/", headers={"Host": "inner", **forwarded})).status_code == status


def test_any_name_can_be_allowed_on_purpose() -> None:
    assert is_allowed("whatever.example", ("*",))
    assert not is_allowed("", ("*",))
