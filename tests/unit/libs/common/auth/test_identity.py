"""Only what the gateway signed, and only for a minute."""

import jwt
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from libs.common.auth.identity import (
    IDENTITY_HEADER,
    CurrentIdentity,
    Identity,
    install_identity,
    sign_identity,
    verify_identity,
)
from libs.common.errors import Forbidden, Unauthenticated
from libs.common.settings import IdentitySettings
from libs.common.testing import FakeClock
from libs.common.web.application import install_web_defaults
from libs.common.web.health import Readiness

SECRET = SecretStr("a-secret-of-at-least-32-characters")
ANN = Identity("user:ann", "acme", frozenset({"admin"}), frozenset({"read", "ingest"}))

names = st.text(min_size=1)
identities = st.builds(Identity, names, names, st.frozensets(names), st.frozensets(names))


def _claims(**changes) -> str:
    claims = {"iss": "airis-gateway", "sub": "user:ann", "tenant": "acme", "roles": [], "scopes": []}
    claims |= {"iat": 1_700_000_000, "exp": 1_700_000_060} | changes
    return jwt.encode({k: v for k, v in claims.items() if v is not ...}, SECRET.get_secret_value(), algorithm="HS256")


@given(identities)
def test_a_signed_identity_is_verified_as_it_was(identity: Identity) -> None:
    clock = FakeClock()
    try:
        token = sign_identity(identity, SECRET, clock)
    except UnicodeEncodeError:
        return  # half a surrogate pair has no bytes to sign
    assert verify_identity(token, SECRET, clock) == identity


@given(st.integers(min_value=0), st.integers(1, 127))
def test_a_changed_token_does_not_hold(position: int, change: int) -> None:
    token = sign_identity(ANN, SECRET, FakeClock())
    position %= len(token)
    changed = token[:position] + chr((ord(token[position]) + change) % 128) + token[position + 1 :]
    try:
        assert verify_identity(changed, SECRET, FakeClock()) == ANN  # base64 has spare bits in a last character
        assert position in {len(token) - 1, *(i - 1 for i, c in enumerate(token) if c == ".")}
    except Unauthenticated:
        pass


@given(st.text())
def test_no_text_but_a_token_holds(text: str) -> None:
    with pytest.raises(Unauthenticated):
        verify_identity(text, SECRET, FakeClock())


def test_a_token_of_another_secret_does_not_hold() -> None:
    token = sign_identity(ANN, SecretStr("another-secret-of-at-least-32-chars"), FakeClock())
    with pytest.raises(Unauthenticated, match="through the gateway"):
        verify_identity(token, SECRET, FakeClock())


def test_a_token_lives_a_minute_and_the_skew() -> None:
    clock = FakeClock()
    token = sign_identity(ANN, SECRET, clock)
    clock.move(64.9)
    assert verify_identity(token, SECRET, clock) == ANN
    clock.move(0.1)
    with pytest.raises(Unauthenticated, match="expired"):
        verify_identity(token, SECRET, clock)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "someone"},
        {"iss": ...},
        {"tenant": ...},
        {"tenant": ""},
        {"tenant": 7},
        {"sub": ...},
        {"sub": ""},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": 1_700_003_600},
        {"iat": 1_700_000_020, "exp": 1_700_000_080},
        {"roles": "admin"},
        {"scopes": [1]},
        {"scopes": {"read": True}},
    ],
)
def test_claims_that_do_not_hold(changes: dict) -> None:
    with pytest.raises(Unauthenticated):
        verify_identity(_claims(**changes), SECRET, FakeClock())


def test_an_unsigned_token_does_not_hold() -> None:
    token = jwt.encode({"iss": "airis-gateway", "sub": "u", "tenant": "t", "iat": 0, "exp": 60}, "", algorithm="none")
    with pytest.raises(Unauthenticated):
        verify_identity(token, SECRET, FakeClock())


def test_scopes_and_roles_are_asked_for_by_name() -> None:
    ANN.require_scope("read")
    ANN.require_role("admin")
    with pytest.raises(Forbidden, match="'write'"):
        ANN.require_scope("write")
    with pytest.raises(Forbidden, match="'owner'"):
        ANN.require_role("owner")


async def test_a_route_that_needs_an_identity_answers_401_without_one() -> None:
    app, clock = FastAPI(), FakeClock()
    install_web_defaults(app, service="test", registry=CollectorRegistry(), readiness=Readiness(clock), clock=clock)
    install_identity(app, IdentitySettings(secret=SECRET.get_secret_value()), clock)

    @app.get("/me")
    async def me(identity: CurrentIdentity) -> dict[str, str]:
        return {"tenant": identity.tenant}

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        refused = await client.get("/me", headers={"X-Tenant": "acme"})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["type"] == "urn:airis:error:unauthenticated"
        answered = await client.get("/me", headers={IDENTITY_HEADER: sign_identity(ANN, SECRET, clock)})
        assert answered.json() == {"tenant": "acme"}
