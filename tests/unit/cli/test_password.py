"""`airis password`: for who cannot sign in any more."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from libs.common.clock import SystemClock
from libs.common.control_store import open_control_store
from services.api_gateway.bootstrap import bootstrap
from services.api_gateway.repository import ControlPlane, Tenant, User
from tests.fixtures.gateway import PASSWORD, QUICK_HASHER, generate_api_key, sqlite_control

EMAIL = "admin@airis.local"


async def _prepare(settings) -> None:
    async with open_control_store(settings, "api_gateway") as store:
        control_plane = ControlPlane(store, SystemClock())
        await control_plane.put_tenant(Tenant("default", "Default"))
        await control_plane.put_user(User("u1", EMAIL, "default", frozenset({"admin"}), QUICK_HASHER.hash(PASSWORD)))


async def _after(settings) -> tuple[User, list]:
    async with open_control_store(settings, "api_gateway") as store:
        control_plane = ControlPlane(store, SystemClock())
        # What an installation starts with no longer replaces what a person chose.
        key = generate_api_key(tenant="default", name="x", scopes=["read"])[1]
        await bootstrap(store, SystemClock(), tenant="default", admin_email=EMAIL, admin_password=PASSWORD, api_key=key)
        user = await control_plane.user_by_email(EMAIL)
        assert user is not None
        return user, await control_plane.audit_events("default")


def test_it_sets_the_password_ends_sessions_and_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    with sqlite_control() as settings:
        monkeypatch.setenv("AIRIS_CONTROL_URL", settings.url.get_secret_value())
        asyncio.run(_prepare(settings))
        done = CliRunner().invoke(app, ["password"], input="correct horse staple\n")
        assert done.exit_code == 0, done.output
        assert "correct horse staple" not in done.output
        user, events = asyncio.run(_after(settings))
        assert QUICK_HASHER.verify(user.password_hash, "correct horse staple")
        assert (user.session_epoch, user.password_chosen) == (1, True)
        assert [(event.action, event.subject, event.target) for event in events] == [
            ("password.change", "operator", EMAIL)
        ]
        for arguments, typed, said in ((["eve@x"], "correct horse\n", "no user eve@x"), ([], "short\n", "10 to 1024")):
            failed = CliRunner().invoke(app, ["password", *arguments], input=typed)
            assert (failed.exit_code, said in failed.output) == (1, True), failed.output
