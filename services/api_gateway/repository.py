"""The control plane's tables: tenants, users, API keys, audit log."""

from dataclasses import dataclass
from typing import Any

from libs.common.auth.api_keys import SCOPES, ApiKey, Scope
from libs.common.clickhouse import ClickHouse, load_statements
from libs.common.clock import Clock


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. `password_hash` is an argon2id PHC string.

    `created` (unix nanoseconds) and `version` are the row's; 0 before there is one.
    """

    id: str
    email: str
    tenant: str
    roles: frozenset[str]
    password_hash: str
    disabled: bool = False
    created: int = 0
    version: int = 0

    @property
    def subject(self) -> str:
        return f"user:{self.id}"


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key as listed. Times are unix nanoseconds; `last_used` is good to a few minutes and None when never seen."""

    key: ApiKey
    key_hash: str
    created_by: str
    created: int
    last_used: int | None
    version: int


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
    return email.strip().casefold()


class ControlPlane:
    """Reads and writes; every method raises StoreUnavailable when the store is away."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._statements = load_statements("services.api_gateway")

    async def user_by_email(self, email: str) -> User | None:
        rows = await self._query("select_user", email=normal_email(email))
        if not rows:
            return None
        row = rows[0]
        return User(
            id=row["id"],
            email=row["email"],
            tenant=row["tenant"],
            roles=frozenset(row["roles"]),
            password_hash=row["password_hash"],
            disabled=bool(row["disabled"]),
            created=row["created_at_unix_nano"],
            version=row["version"],
        )

    async def put_user(self, user: User, *, replaces: User | None = None) -> None:
        """Write the user, instead of the one that it `replaces`."""
        await self._command(
            "insert_user",
            id=user.id,
            email=normal_email(user.email),
            tenant=user.tenant,
            roles=sorted(user.roles),
            password_hash=user.password_hash,
            disabled=user.disabled,
            created_at=replaces.created if replaces else self._clock.now_ns(),
            version=self._version(replaces.version if replaces else 0),
        )

    async def tenant(self, tenant: str) -> Tenant | None:
        rows = await self._query("select_tenant", tenant=tenant)
        return Tenant(rows[0]["id"], rows[0]["name"]) if rows else None

    async def put_tenant(self, tenant: Tenant) -> None:
        now = self._clock.now_ns()
        await self._command("insert_tenant", tenant=tenant.id, name=tenant.name, created_at=now, version=now)

    async def api_keys(self, tenant: str) -> list[StoredApiKey]:
        """All keys the tenant ever had, oldest first, the revoked ones among them."""
        return [_stored_api_key(tenant, row) for row in await self._query("select_api_keys", tenant=tenant)]

    async def add_api_key(self, key: ApiKey, key_hash: str, *, created_by: str) -> int:
        """Write a new key; when it was made, unix nanoseconds."""
        now = self._clock.now_ns()
        await self._put_api_key(key, key_hash, created_by=created_by, created=now, revoked=0, version=now)
        return now

    async def revoke_api_key(self, stored: StoredApiKey) -> None:
        await self._put_api_key(
            stored.key,
            stored.key_hash,
            created_by=stored.created_by,
            created=stored.created,
            revoked=self._clock.now_ns(),
            version=self._version(stored.version),
        )

    async def record(self, event: AuditEvent) -> None:
        """Append to the audit log."""
        await self._command(
            "insert_audit_event",
            tenant=event.tenant,
            time=self._clock.now_ns(),
            action=event.action,
            outcome=event.outcome,
            subject=event.subject,
            target=event.target,
            address=event.address,
            request_id=event.request_id,
        )

    async def audit_events(self, tenant: str) -> list[AuditEvent]:
        """The tenant's audit log, oldest first."""
        rows = await self._query("select_audit_events", tenant=tenant)
        return [
            AuditEvent(
                row["tenant"],
                row["action"],
                row["outcome"],
                row["subject"],
                row["target"],
                row["address"],
                row["request_id"],
            )
            for row in rows
        ]

    async def _put_api_key(
        self, key: ApiKey, key_hash: str, *, created_by: str, created: int, revoked: int, version: int
    ) -> None:
        await self._command(
            "insert_api_key",
            key_id=key.key_id,
            tenant=key.tenant,
            name=key.name,
            scopes=sorted(key.scopes),
            key_hash=key_hash,
            created_by=created_by,
            created_at=created,
            revoked_at=revoked,
            version=version,
        )

    def _version(self, replaces: int) -> int:
        # Above the row it replaces even when this machine's clock is behind the one that wrote it.
        return max(self._clock.now_ns(), replaces + 1)

    async def _query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        return await self._clickhouse.query(self._statements[statement], parameters)

    async def _command(self, statement: str, **parameters: Any) -> None:
        await self._clickhouse.command(self._statements[statement], parameters)


def _stored_api_key(tenant: str, row: dict[str, Any]) -> StoredApiKey:
    scopes: frozenset[Scope] = SCOPES & set(row["scopes"])
    key = ApiKey(row["key_id"], tenant, row["name"], scopes, revoked=row["revoked_at_unix_nano"] != 0)
    return StoredApiKey(
        key=key,
        key_hash=row["key_hash"],
        created_by=row["created_by"],
        created=row["created_at_unix_nano"],
        last_used=row["last_used_at"] * 1_000_000_000 or None,
        version=row["version"],
    )
