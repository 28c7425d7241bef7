"""The control plane: tenants, users, API keys, ended sessions, audit log. Changes and their audit records are one transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth.api_keys import SCOPES, ApiKey, Scope
from libs.common.auth.key_ring import KeyChange, KeyChanges
from libs.common.clock import Clock
from libs.common.control_store import ControlStore, insert_if_absent
from libs.common.errors import Conflict
from services.api_gateway.control.tables import (
    API_KEY_USES,
    API_KEYS,
    AUDIT_LOG,
    ENDED_SESSIONS,
    KEY_FEED,
    TENANTS,
    USERS,
)

# Long enough that a yearly review finds a whole year.
AUDIT_DAYS = 400
# From where somebody signed in lately is where they probably are.
KNOWN_ADDRESS_DAYS = 30
_DAY_NS = 86_400 * 10**9
# Rows of the audit log forgotten at once, so that nobody waits long for the table.
_PRUNE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. `password_hash` is an argon2id PHC string; `password_chosen` says that a person chose it.

    Sessions are of one `session_epoch`. `created` (unix nanoseconds) and `version` are the row's; 0 before there is one.
    """

    id: str
    email: str
    tenant: str
    roles: frozenset[str]
    password_hash: str
    disabled: bool = False
    password_chosen: bool = False
    session_epoch: int = 0
    created: int = 0
    version: int = 0

    @property
    def subject(self) -> str:
        return f"user:{self.id}"


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key as listed. Times are unix nanoseconds; `last_used` is good to a minute and None when never seen."""

    key: ApiKey
    key_hash: str
    created_by: str
    created: int
    last_used: int | None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what. `outcome` is `ok` or an error id."""

    tenant: str
    action: str
    outcome: str
    subject: str
    target: str
    address: str
    request_id: str


def normal_email(email: str) -> str:
    """The form in which e-mails are stored and compared."""
    return _storable(email.strip().casefold(), 320)


class ControlPlane:
    """Reads and writes; every method raises ControlStoreUnavailable when the control store is away."""

    def __init__(self, store: ControlStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def user_by_email(self, email: str) -> User | None:
        statement = select(USERS).where(USERS.c.email == normal_email(email))
        return await self._store.read("user", lambda session: _user(session, statement))

    async def session_user(self, user_id: str, session_id: str) -> User | None:
        """The user of a session; None when there is none any more, or the session was ended."""
        ended = exists().where(ENDED_SESSIONS.c.session_id == session_id)
        statement = select(USERS).where(USERS.c.id == user_id, ~ended)
        return await self._store.read("session", lambda session: _user(session, statement))

    async def put_user(self, user: User, *, replaces: User | None = None, event: AuditEvent | None = None) -> None:
        """Write a new user, or change the one that it `replaces`.

        Raises AlreadyExists for an e-mail that somebody has, Conflict when `replaces` was changed meanwhile.
        """
        values = {
            "email": normal_email(user.email),
            "tenant": user.tenant,
            "roles": json.dumps(sorted(user.roles)),
            "password_hash": user.password_hash,
            "password_chosen": user.password_chosen,
            "disabled": user.disabled,
            "session_epoch": user.session_epoch,
        }

        async def work(session: AsyncSession) -> None:
            if replaces is None:
                created = user.created or self._clock.now_ns()
                await session.execute(insert(USERS).values(**values, id=user.id, created_at=created, version=1))
            else:
                mine = (USERS.c.id == replaces.id, USERS.c.version == replaces.version)
                changed = await session.execute(
                    update(USERS).where(*mine).values(**values, version=replaces.version + 1)
                )
                if _rows(changed) == 0:
                    raise Conflict("The user was changed by somebody else meanwhile. Load it again.")
            await self._record(session, event)

        await self._store.write("user.put", work)

    async def change_password(self, user_id: str, password_hash: str, event: AuditEvent | None) -> User | None:
        """Set a password that a person chose and end all sessions of the user; the user after it, None when there is none."""

        async def work(session: AsyncSession) -> User | None:
            await session.execute(
                update(USERS)
                .where(USERS.c.id == user_id)
                .values(
                    password_hash=password_hash,
                    password_chosen=True,
                    session_epoch=USERS.c.session_epoch + 1,
                    version=USERS.c.version + 1,
                )
            )
            await self._record(session, event)
            return await _user(session, select(USERS).where(USERS.c.id == user_id))

        return await self._store.write("user.password", work)

    async def tenant(self, tenant: str) -> Tenant | None:
        async def work(session: AsyncSession) -> Tenant | None:
            row = (await session.execute(select(TENANTS).where(TENANTS.c.id == tenant))).first()
            return Tenant(row.id, row.name) if row else None

        return await self._store.read("tenant", work)

    async def put_tenant(self, tenant: Tenant) -> None:
        """Write the tenant unless there is one of its id."""
        values = {"id": tenant.id, "name": tenant.name, "created_at": self._clock.now_ns()}

        async def work(session: AsyncSession) -> None:
            await insert_if_absent(session, TENANTS, [values])

        await self._store.write("tenant.put", work)

    async def api_keys(self, tenant: str) -> list[StoredApiKey]:
        """All keys the tenant ever had, oldest first, the revoked ones among them."""
        statement = (
            select(API_KEYS, API_KEY_USES.c.last_used_seconds)
            .outerjoin(API_KEY_USES, API_KEY_USES.c.key_id == API_KEYS.c.key_id)
            .where(API_KEYS.c.tenant == tenant)
            .order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)
        )

        async def work(session: AsyncSession) -> list[StoredApiKey]:
            return [_stored_api_key(row) for row in await session.execute(statement)]

        return await self._store.read("api_keys", work)

    async def add_api_key(
        self,
        key: ApiKey,
        key_hash: str,
        *,
        created_by: str,
        event: AuditEvent | None = None,
        at_most: int | None = None,
    ) -> int:
        """Write a new key; when it was made, unix nanoseconds. Raises Conflict when the tenant has `at_most` valid ones."""
        now = self._clock.now_ns()

        async def work(session: AsyncSession) -> int:
            if at_most is not None:
                valid = (API_KEYS.c.tenant == key.tenant, API_KEYS.c.revoked_at.is_(None))
                if (await session.scalar(select(func.count()).select_from(API_KEYS).where(*valid)) or 0) >= at_most:
                    raise Conflict(f"There are {at_most} valid keys already. Revoke those that are not used.")
            await session.execute(
                insert(API_KEYS).values(
                    key_id=key.key_id,
                    tenant=key.tenant,
                    name=_storable(key.name, 200),
                    scopes=json.dumps(sorted(key.scopes)),
                    key_hash=key_hash,
                    created_by=created_by,
                    created_at=now,
                    change=await _next_change(session),
                )
            )
            await self._record(session, event)
            return now

        return await self._store.write("api_key.add", work)

    async def revoke_api_key(self, tenant: str, key_id: str, *, event: AuditEvent | None = None) -> bool:
        """Revoke a key for good; a revoked one stays as it is. False when the tenant never had it."""
        mine = (API_KEYS.c.tenant == tenant, API_KEYS.c.key_id == key_id)

        async def work(session: AsyncSession) -> bool:
            row = (await session.execute(select(API_KEYS.c.revoked_at).where(*mine))).first()
            if row is not None and row.revoked_at is None:
                change = await _next_change(session)
                revoked = update(API_KEYS).where(*mine).values(revoked_at=self._clock.now_ns(), change=change)
                await session.execute(revoked)
                await self._record(session, event)
            return row is not None

        return await self._store.write("api_key.revoke", work)

    async def key_changes(self, epoch: str, version: int) -> KeyChanges:
        """What changed since `version` of the feed `epoch`; all valid keys for one that knows another history, or none."""

        async def work(session: AsyncSession) -> KeyChanges:
            feed = (await session.execute(select(KEY_FEED))).one()
            complete = feed.epoch != epoch or version > feed.version or version < 0
            if not complete and version == feed.version:
                return KeyChanges(feed.epoch, feed.version, complete=False, changes=())
            wanted = API_KEYS.c.revoked_at.is_(None) if complete else API_KEYS.c.change > version
            rows = await session.execute(select(API_KEYS).where(wanted))
            changes = tuple(KeyChange(_api_key(row), row.key_hash) for row in rows)
            return KeyChanges(feed.epoch, feed.version, complete=complete, changes=changes)

        return await self._store.read("api_key.changes", work)

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        """Remember when keys were last used, unix seconds by key id; unknown ids are passed over."""

        async def work(session: AsyncSession) -> None:
            known = set(await session.scalars(select(API_KEYS.c.key_id).where(API_KEYS.c.key_id.in_(list(uses)))))
            for key_id in sorted(known):
                await insert_if_absent(session, API_KEY_USES, [{"key_id": key_id, "last_used_seconds": uses[key_id]}])
                older = (API_KEY_USES.c.key_id == key_id, API_KEY_USES.c.last_used_seconds < uses[key_id])
                await session.execute(update(API_KEY_USES).where(*older).values(last_used_seconds=uses[key_id]))

        if uses:
            await self._store.write("api_key.uses", work)

    async def end_session(self, session_id: str, forget_at_seconds: int, event: AuditEvent) -> None:
        """End all tokens of a session for good, and write it down."""
        values = {"session_id": session_id, "forget_at_seconds": forget_at_seconds}

        async def work(session: AsyncSession) -> None:
            await insert_if_absent(session, ENDED_SESSIONS, [values])
            await self._record(session, event)

        await self._store.write("session.end", work)

    async def record(self, event: AuditEvent) -> None:
        """Append to the audit log."""
        await self._store.write("audit", lambda session: self._record(session, event))

    async def audit_events(self, tenant: str) -> list[AuditEvent]:
        """The tenant's audit log, oldest first."""
        statement = select(AUDIT_LOG).where(AUDIT_LOG.c.tenant == tenant).order_by(AUDIT_LOG.c.time, AUDIT_LOG.c.id)

        async def work(session: AsyncSession) -> list[AuditEvent]:
            return [
                AuditEvent(row.tenant, row.action, row.outcome, row.subject, row.target, row.address, row.request_id)
                for row in await session.execute(statement)
            ]

        return await self._store.read("audit_events", work)

    async def signed_in_from(self, email: str, address: str) -> bool:
        """Whether somebody signed in with this e-mail from this address within the last 30 days."""
        signed_in = exists().where(
            AUDIT_LOG.c.target == normal_email(email),
            AUDIT_LOG.c.action == "sign_in",
            AUDIT_LOG.c.outcome == "ok",
            AUDIT_LOG.c.address == address,
            AUDIT_LOG.c.time > self._clock.now_ns() - KNOWN_ADDRESS_DAYS * _DAY_NS,
        )
        return bool(await self._store.read("known_address", lambda session: session.scalar(select(signed_in))))

    async def forget_what_is_over(self) -> int:
        """Drop ended sessions that no token is left of, and audit records past their 400 days; how many rows."""
        now = self._clock.now_ns()
        old = select(AUDIT_LOG.c.id).where(AUDIT_LOG.c.time < now - AUDIT_DAYS * _DAY_NS).limit(_PRUNE_ROWS)

        async def work(session: AsyncSession) -> int:
            over = delete(ENDED_SESSIONS).where(ENDED_SESSIONS.c.forget_at_seconds < now // 10**9)
            count = _rows(await session.execute(over))
            return count + _rows(await session.execute(delete(AUDIT_LOG).where(AUDIT_LOG.c.id.in_(old))))

        return await self._store.write("forget", work)

    async def _record(self, session: AsyncSession, event: AuditEvent | None) -> None:
        if event is not None:
            await session.execute(insert(AUDIT_LOG).values(**audit_row(event, self._clock.now_ns())))


def audit_row(event: AuditEvent, time: int) -> dict[str, Any]:
    """The row of an event, cut to what its columns hold: a target may be anything that was typed into a form."""
    return {
        "tenant": event.tenant,
        "time": time,
        "action": event.action,
        "outcome": event.outcome,
        "subject": event.subject,
        "target": _storable(event.target, 320),
        "address": event.address[:64],
        "request_id": event.request_id[:128],
    }


def _storable(text: str, length: int) -> str:
    """Without NUL and half surrogate pairs, which PostgreSQL does not take."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:length]


async def _user(session: AsyncSession, statement: Any) -> User | None:
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    return User(
        id=row.id,
        email=row.email,
        tenant=row.tenant,
        roles=frozenset(json.loads(row.roles)),
        password_hash=row.password_hash,
        disabled=row.disabled,
        password_chosen=row.password_chosen,
        session_epoch=row.session_epoch,
        created=row.created_at,
        version=row.version,
    )


async def _next_change(session: AsyncSession) -> int:
    moved = update(KEY_FEED).values(version=KEY_FEED.c.version + 1).returning(KEY_FEED.c.version)
    return int((await session.execute(moved)).scalar_one())


def _api_key(row: Row[Any]) -> ApiKey:
    scopes: frozenset[Scope] = SCOPES & set(json.loads(row.scopes))
    return ApiKey(row.key_id, row.tenant, row.name, scopes, revoked=row.revoked_at is not None)


def _stored_api_key(row: Row[Any]) -> StoredApiKey:
    last = row.last_used_seconds
    return StoredApiKey(
        _api_key(row), row.key_hash, row.created_by, row.created_at, None if last is None else last * 10**9
    )


def _rows(result: Any) -> int:
    return int(result.rowcount)
