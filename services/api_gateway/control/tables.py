"""Who may sign in, which keys are valid, and who did what. Times are unix nanoseconds unless the name says otherwise."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from libs.common.control_store import new_metadata

METADATA = new_metadata()

TENANTS = Table(
    "tenants",
    METADATA,
    Column("id", String(63), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
USERS = Table(
    "users",
    METADATA,
    Column("id", String(64), primary_key=True),
    # Trimmed and case-folded; unique over all tenants, because sign-in asks for nothing else.
    Column("email", String(320), nullable=False, unique=True),
    Column("tenant", String(63), ForeignKey("tenants.id"), nullable=False),
    Column("roles", Text, nullable=False),  # JSON list
    Column("password_hash", Text, nullable=False),  # argon2id, PHC string
    # Whether a person chose it; what an installation starts with then no longer replaces it.
    Column("password_chosen", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    # Sessions carry it; one of another number is over.
    Column("session_epoch", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(12), primary_key=True),
    Column("tenant", String(63), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("scopes", Text, nullable=False),  # JSON list
    # SHA-256 of the whole key, lower-case hex; the key itself is never stored.
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("created_by", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    # The feed's version with which the row last changed: what others have not heard of yet is above theirs.
    Column("change", BigInteger, nullable=False),
    Index("ix_api_keys_tenant", "tenant"),
    Index("ix_api_keys_change", "change"),
)
# Apart from api_keys so that a use is no change.
API_KEY_USES = Table(
    "api_key_uses",
    METADATA,
    Column("key_id", String(12), ForeignKey("api_keys.key_id"), primary_key=True),
    Column("last_used_seconds", BigInteger, nullable=False),
)
# One row. Every change of a key takes its next number, and with it the row's lock: numbers commit in their order.
KEY_FEED = Table(
    "key_feed",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),  # another one means another history, in which numbers mean nothing
    Column("version", BigInteger, nullable=False),
)
ENDED_SESSIONS = Table(
    "ended_sessions",
    METADATA,
    Column("session_id", String(64), primary_key=True),
    # When no token of it can be alive any more.
    Column("forget_at_seconds", BigInteger, nullable=False),
    Index("ix_ended_sessions_forget_at_seconds", "forget_at_seconds"),
)
AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tenant", String(63), nullable=False),  # empty when a sign-in named no known user
    Column("time", BigInteger, nullable=False),
    Column("action", String(40), nullable=False),
    Column("outcome", String(40), nullable=False),  # ok or an error id
    Column("subject", String(100), nullable=False),
    Column("target", String(320), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Index("ix_audit_log_tenant_time", "tenant", "time"),
    Index("ix_audit_log_time", "time"),
    Index("ix_audit_log_target_action", "target", "action"),
)
# What was taken over from elsewhere, and how far.
IMPORTS = Table(
    "imports",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("cursor_time", BigInteger, nullable=False),
    Column("cursor_hash", String(20), nullable=False),  # an unsigned 64-bit number, which BigInteger does not hold
    Column("rows", BigInteger, nullable=False),
    Column("done", Boolean, nullable=False),
)
