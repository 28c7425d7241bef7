"""The first tenant, user and API key of an installation."""

import re
import secrets
from collections.abc import Callable

import structlog

from libs.common.auth.api_keys import SCOPES, ApiKey, hash_api_key, parse_key_id
from libs.common.auth.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH, Passwords
from libs.common.clock import Clock
from libs.common.control_store import ControlStore
from services.api_gateway.repository import ControlPlane, Tenant, User, normal_email

CREATED_BY = "bootstrap"
KEY_NAME = "first key"
ADMIN_ROLES = frozenset({"admin"})
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

log = structlog.get_logger(__name__)


class InvalidBootstrap(ValueError):
    """A value that no installation can start with; the message says which, and how it should look."""


async def bootstrap(
    store: ControlStore,
    clock: Clock,
    *,
    tenant: str,
    admin_email: str,
    admin_password: str,
    api_key: str,
    new_id: Callable[[], str] = lambda: secrets.token_hex(8),
) -> None:
    """Make sure that this tenant, this administrator and this key work; change nothing that already does.

    Needs the schema. A different password replaces the administrator's unless a person chose that, a different key
    replaces the one an earlier run made. A key that somebody revoked stays revoked, with a warning in the log. Raises InvalidBootstrap, ControlStoreUnavailable.
    """
    key_id = parse_key_id(api_key)
    if not _SLUG.fullmatch(tenant):
        raise InvalidBootstrap("tenant: 1 to 63 lower-case letters, digits and inner hyphens, as in 'default'")
    if "@" not in admin_email or not MINIMUM_LENGTH <= len(admin_password) <= MAXIMUM_LENGTH:
        raise InvalidBootstrap(
            f"administrator: an e-mail address and a password of {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters"
        )
    if key_id is None:
        raise InvalidBootstrap("api key: make one with libs.common.auth.api_keys.generate_api_key")
    control_plane = ControlPlane(store, clock)
    if await control_plane.tenant(tenant) is None:
        await control_plane.put_tenant(Tenant(tenant, tenant.replace("-", " ").capitalize()))
    await _admin(control_plane, tenant, normal_email(admin_email), admin_password, new_id)
    await _key(control_plane, tenant, key_id, api_key)


async def _admin(
    control_plane: ControlPlane, tenant: str, email: str, password: str, new_id: Callable[[], str]
) -> None:
    passwords = Passwords()
    user = await control_plane.user_by_email(email)
    if user is not None:
        if user.tenant != tenant:
            raise InvalidBootstrap("administrator: this e-mail address belongs to another tenant")
        if user.disabled:
            log.warning("the administrator is disabled and stays so", tenant=tenant, user_id=user.id)
            return
        if user.password_chosen:
            return  # what an installation started with is history once somebody chose another
        if await passwords.verify(user.password_hash, password):
            return
    fresh = User(
        id=user.id if user else new_id(),
        email=email,
        tenant=tenant,
        roles=ADMIN_ROLES | (user.roles if user else frozenset()),
        password_hash=await passwords.hash(password),
        session_epoch=user.session_epoch + 1 if user else 0,
    )
    await control_plane.put_user(fresh, replaces=user)
    log.info("administrator written", tenant=tenant, user_id=fresh.id)


async def _key(control_plane: ControlPlane, tenant: str, key_id: str, api_key: str) -> None:
    hashed = hash_api_key(api_key)
    stored = await control_plane.api_keys(tenant)
    same = [entry for entry in stored if entry.key_hash == hashed]
    if not same:
        key = ApiKey(key_id, tenant, KEY_NAME, SCOPES)
        await control_plane.add_api_key(key, hashed, created_by=CREATED_BY)
        log.info("first API key written", tenant=tenant, key_id=key_id)
    elif same[0].key.revoked:
        log.warning("the first API key was revoked and stays so; start with a new one", tenant=tenant, key_id=key_id)
    for entry in stored:
        if entry.created_by == CREATED_BY and entry.key_hash != hashed and not entry.key.revoked:
            await control_plane.revoke_api_key(tenant, entry.key.key_id)
