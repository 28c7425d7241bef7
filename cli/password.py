"""Set a password where the control store is, for who cannot sign in any more."""

from libs.common.auth.passwords import Passwords
from libs.common.clock import SystemClock
from libs.common.control_store import open_control_store
from libs.common.errors import NotFound
from libs.common.settings import ControlSettings
from services.api_gateway.repository import ControlPlane
from services.api_gateway.sign_in import change_password


async def set_password(email: str, password: str) -> str:
    """The user's e-mail. Written to the audit log as done by the operator; the sessions of the user are over.

    Raises NotFound, InvalidRequest for a password that is too short or too long, ControlStoreUnavailable.
    """
    clock = SystemClock()
    async with open_control_store(ControlSettings(), "api_gateway", clock=clock) as store:
        control_plane = ControlPlane(store, clock)
        user = await control_plane.user_by_email(email)
        if user is None:
            raise NotFound(f"There is no user {email}.")
        await change_password(
            control_plane, Passwords(), user, password, subject="operator", address="", request_id="airis password"
        )
        return user.email
