"""Session cookies: what they survive and what they do not."""

import base64
import json
from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from libs.common.auth.identity import Identity, sign_identity
from libs.common.errors import Unauthenticated
from libs.common.testing import FakeClock
from services.api_gateway.repository import User
from services.api_gateway.sessions import (
    ABSOLUTE_SECONDS,
    LIFETIME_SECONDS,
    Session,
    Sessions,
    delete_cookie,
    session_token,
)
from tests.fixtures.gateway import SESSION_SECRET

SECRET = SecretStr(SESSION_SECRET)
ADA = User("u1", "ada@acme.example", "acme", frozenset({"admin"}), "a hash", session_epoch=3)


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sessions = Sessions(SECRET, self.clock, new_id=lambda: "sid-1")

    def start(self) -> Session:
        return self.sessions.start(ADA)

    def claims(self) -> dict[str, object]:
        return jwt.decode(self.sessions.token(self.start()), options={"verify_signature": False})

    def forge(self, secret: str = SESSION_SECRET, algorithm: str = "HS256", **changes: object) -> str:
        claims = {name: claim for name, claim in (self.claims() | changes).items() if claim is not ...}
        return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_session_comes_back_as_it_was(setting: Setting) -> None:
    session = setting.start()
    assert setting.sessions.read(setting.sessions.token(session)) == session
    assert session.subject == "user:u1"


def test_it_ends_after_fifteen_minutes(setting: Setting) -> None:
    token = setting.sessions.token(setting.start())
    setting.clock.move(LIFETIME_SECONDS - 1)
    setting.sessions.read(token)
    setting.clock.move(1)
    with pytest.raises(Unauthenticated, match="expired"):
        setting.sessions.read(token)


def test_used_again_and_again_it_lasts_twelve_hours_and_no_longer(setting: Setting) -> None:
    session, renewals = setting.start(), 0
    for _ in range(ABSOLUTE_SECONDS // 60 - 1):
        setting.clock.move(60)
        session = setting.sessions.read(setting.sessions.token(session))
        if setting.sessions.wants_renewal(session):
            session, renewals = setting.sessions.renewed(session, roles=session.roles), renewals + 1
            assert session.session_id == "sid-1"
    assert 80 < renewals < 100
    assert session.expires == session.signed_in + ABSOLUTE_SECONDS
    assert not setting.sessions.wants_renewal(session)
    setting.clock.move(60)
    with pytest.raises(Unauthenticated):
        setting.sessions.read(setting.sessions.token(session))


def test_renewal_waits_for_half_of_its_life_and_brings_new_roles(setting: Setting) -> None:
    session = setting.start()
    setting.clock.move(LIFETIME_SECONDS / 2 - 1)
    assert not setting.sessions.wants_renewal(session)
    setting.clock.move(1)
    assert setting.sessions.wants_renewal(session)
    renewed = setting.sessions.renewed(session, roles=frozenset())
    assert (renewed.roles, renewed.signed_in) == (frozenset(), session.signed_in)
    assert renewed.expires == session.expires + LIFETIME_SECONDS / 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"secret": "another-secret-of-the-tests-0123456789"}, id="signed by somebody else"),
        pytest.param({"algorithm": "HS512"}, id="another algorithm"),
        pytest.param({"aud": "other"}, id="another audience"),
        pytest.param({"iss": "other"}, id="another issuer"),
        pytest.param({"aud": ...}, id="no audience"),
        pytest.param({"exp": ...}, id="no end"),
        pytest.param({"exp": "soon"}, id="an end that is no number"),
        pytest.param({"exp": True}, id="an end that is a truth"),
        pytest.param({"auth_time": 0}, id="signed in long ago"),
        pytest.param({"exp": float("nan")}, id="an end that compares with nothing"),
        pytest.param({"exp": float("inf")}, id="no end at all"),
        pytest.param({"exp": 10**30}, id="an end past the lifetime"),
        pytest.param({"exp": 1_700_000_900.5}, id="an end between seconds"),
        pytest.param({"iat": 4_000_000_000}, id="issued in the future"),
        pytest.param({"auth_time": 4_000_000_000}, id="signed in in the future"),
        pytest.param({"auth_time": 1_700_000_006, "iat": 1_700_000_006}, id="signed in beyond any skew"),
        pytest.param({"auth_time": 1_700_000_001}, id="issued before the sign-in"),
        pytest.param({"auth_time": float("nan")}, id="signed in at no time"),
        pytest.param({"epoch": ...}, id="of the version before"),
        pytest.param({"epoch": True}, id="an epoch that is a truth"),
        pytest.param({"tenant": ""}, id="no tenant"),
        pytest.param({"tenant": ["acme"]}, id="a list of tenants"),
        pytest.param({"sid": ...}, id="no session id"),
        pytest.param({"sub": 7}, id="a subject that is a number"),
        pytest.param({"roles": "admin"}, id="roles that are a text"),
        pytest.param({"roles": None}, id="no roles"),
        pytest.param({"roles": [1]}, id="roles that are numbers"),
    ],
)
def test_a_token_that_is_not_ours_is_refused(setting: Setting, changes: dict) -> None:
    with pytest.raises(Unauthenticated):
        setting.sessions.read(setting.forge(**changes))


def test_an_unsigned_token_is_refused(setting: Setting) -> None:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    for algorithm in ("none", "None", "HS256"):
        with pytest.raises(Unauthenticated):
            setting.sessions.read(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(setting.claims())}.")


def test_an_identity_is_no_session_even_with_the_same_secret(setting: Setting) -> None:
    token = sign_identity(
        Identity("user:u1", "acme", frozenset({"admin"})), SECRET, setting.clock, audience="airis-session"
    )
    with pytest.raises(Unauthenticated):
        setting.sessions.read(token)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(Unauthenticated):
        Setting().sessions.read(text)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_token_is_refused(position: int, change: int) -> None:
    setting = Setting()
    token = setting.sessions.token(setting.start())
    at = position % len(token)
    changed = token[:at] + chr(ord(token[at]) ^ change) + token[at + 1 :]
    try:
        session = setting.sessions.read(changed)
    except Unauthenticated:
        return
    # The last character of base64 has bits that mean nothing: the token is then the same one, written differently.
    assert session == setting.start()


def test_a_session_is_of_its_user_until_something_about_the_user_ends_it(setting: Setting) -> None:
    session = setting.start()
    assert session.is_of(replace(ADA, roles=frozenset(), password_hash="other", version=9))
    for changed in ({"session_epoch": 4}, {"disabled": True}, {"tenant": "globex"}, {"id": "u2"}):
        assert not session.is_of(replace(ADA, **changed))


def test_an_ended_session_is_remembered_for_as_long_as_a_token_of_it_could_live(setting: Setting) -> None:
    session = setting.start()
    # Renewed in the moment that it was ended, by a gateway whose clock is a little ahead.
    assert session.forget_at >= setting.sessions.renewed(session, roles=session.roles).expires + LIFETIME_SECONDS
    setting.clock.move(ABSOLUTE_SECONDS - 60)
    assert setting.sessions.renewed(session, roles=session.roles).forget_at == session.signed_in + ABSOLUTE_SECONDS + 60


def test_the_cookie_is_kept_from_scripts_and_other_sites(setting: Setting) -> None:
    cookie = setting.sessions.set_cookie(setting.start(), secure=True)
    value, *attributes = cookie.split("; ")
    assert value.startswith("__Host-airis_session=ey")
    assert attributes == ["Max-Age=900", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    plain = setting.sessions.set_cookie(setting.start(), secure=False)
    assert (plain.startswith("airis_session=ey"), "Secure" in plain) == (True, False)
    cookies = {"airis_session": "planted", "__Host-airis_session": "own"}
    assert (session_token(cookies, secure=True), session_token(cookies, secure=False)) == ("own", "planted")
    assert delete_cookie(secure=False) == "airis_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
