"""Settings in small groups, one per dependency, read from the environment.

A service composes the groups it needs in its own settings.py. Libraries get a group passed in and never read the
environment themselves.
"""

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class InvalidSettings(Exception):
    """The environment does not make valid settings. The message names each variable and never shows a value."""


def environment(prefix: str) -> SettingsConfigDict:
    """Model config of a group whose variables start with `prefix`."""
    # Inputs stay out of error messages because a mistyped secret is still a secret.
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", hide_input_in_errors=True)


class SettingsGroup(BaseSettings):
    """Base of every group: errors come as InvalidSettings, in terms of environment variables."""

    model_config = environment("AIRIS_")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            prefix = self.model_config.get("env_prefix", "")
            lines = [
                f"{prefix}{'_'.join(str(part) for part in entry['loc'])}".upper() + f": {entry['msg']}"
                for entry in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            raise InvalidSettings("; ".join(lines)) from None


class ServiceSettings(SettingsGroup):
    """What every process has."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    environment: str = "local"
    # Kubernetes kills after 30 s; what has not drained by then is better cancelled by us, with a log line.
    drain_timeout_seconds: float = Field(default=25.0, gt=0, le=600)


class HttpSettings(SettingsGroup):
    """What every service's HTTP side has."""

    model_config = environment("AIRIS_HTTP_")

    # Between two pieces of a request's body. A slow line pauses for a second, a sender that pauses longer holds connections.
    body_idle_seconds: float = Field(default=30.0, gt=0, le=600)


class ClickHouseSettings(SettingsGroup):
    """The store, reached over its HTTP interface."""

    model_config = environment("AIRIS_CLICKHOUSE_")

    url: str = "http://127.0.0.1:8123"
    # Names the database in migrations, where it cannot be a bound parameter; hence the narrow pattern.
    database: str = Field(default="airis", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
    user: str = "default"
    password: SecretStr = SecretStr("")
    connect_timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    # Dashboards give up long before; longer queries hold memory that others need.
    query_timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    insert_timeout_seconds: float = Field(default=60.0, gt=0, le=600)
    max_memory_bytes: int = Field(default=2 * 1024**3, ge=16 * 1024**2)
    # A read that wants more rows than this wants aggregation or a cursor.
    max_result_rows: int = Field(default=200_000, ge=1)
    max_connections: int = Field(default=32, ge=1, le=1024)
    replicated: bool = False
    cluster: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        return _checked_url(value, ("http", "https"))


class RedisSettings(SettingsGroup):
    """The cache: limits, sessions and query results. Losing it costs speed, not data."""

    model_config = environment("AIRIS_REDIS_")

    url: str = "redis://127.0.0.1:6379/0"
    connect_timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    # A cache slower than the store it saves is of no use.
    timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    max_connections: int = Field(default=64, ge=1, le=1024)

    @field_validator("url")
    @classmethod
    def _redis(cls, value: str) -> str:
        return _checked_url(value, ("redis", "rediss", "unix"))


class ControlSettings(SettingsGroup):
    """The control store: what people own and change. One URL for all services, each has its own part of it.

    `sqlite:///<directory>` (four slashes for an absolute one) is a file per service, `postgresql://user:password@host/database`
    a schema per service.
    """

    model_config = environment("AIRIS_CONTROL_")

    url: SecretStr = SecretStr("sqlite:///.airis/data/control")
    connect_timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    # One transaction, waiting for locks and tries after conflicts included; somebody waits for it in front of a form.
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    # Below the timeout, so that a lock somebody else holds is named as the reason.
    lock_timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    # People change little, and what is read with every request is kept in memory.
    max_connections: int = Field(default=5, ge=1, le=100)

    @field_validator("url")
    @classmethod
    def _engine(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url.startswith("sqlite:///"):
            if not url.removeprefix("sqlite:///").strip("/"):
                raise ValueError("must name a directory, as in sqlite:////var/lib/airis/control")
            return value
        parts = urlsplit(url)
        if parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/"):
            raise ValueError("must be sqlite:///<directory> or postgresql://user:password@host:port/database")
        return value

    @property
    def directory(self) -> Path | None:
        """Where SQLite keeps a file per service; None on PostgreSQL."""
        url = self.url.get_secret_value()
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


class BusSettings(SettingsGroup):
    """The event transport; the URL's scheme chooses between Kafka and Redis Streams."""

    model_config = environment("AIRIS_BUS_")

    url: str = "redis://127.0.0.1:6379/0"
    # Only for topics made by ensure_topics; a cluster's operator may have made them larger.
    partitions: int = Field(default=4, ge=1, le=1024)
    replication: int = Field(default=1, ge=1, le=9)
    # How long one send or commit may take, retries included.
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    # OTLP exporters batch to well below this; Kafka's own default of 1 MiB is too small for them.
    max_record_bytes: int = Field(default=16 * 1024**2, ge=1024, le=256 * 1024**2)
    # Sent and not yet confirmed; as much again may wait for room. Beyond, callers are told to come back.
    max_in_flight_bytes: int = Field(default=64 * 1024**2, ge=1024)
    # Redis Streams live in memory: beyond this per topic, sends are refused rather than the machine eaten.
    max_backlog_bytes: int = Field(default=1024**3, ge=1024)
    # OTLP packs four to eight times, for a few per cent of the time it took to make. On Redis Streams all but "none" mean lz4.
    compression: Literal["snappy", "zstd", "lz4", "none"] = "snappy"
    # Without a sign of life for this long a consumer is dead. Kafka brokers accept no less than 6 s by default.
    session_timeout_seconds: float = Field(default=6.0, gt=0, le=300)
    # A consumer that has not polled for this long is stuck, and others take over.
    max_poll_interval_seconds: float = Field(default=300.0, gt=0, le=3600)
    # Refuse a Redis that may lose confirmed records (no AOF, no fsync per write, eviction).
    require_durable: bool = True
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_ca_file: str = ""
    ssl_certificate_file: str = ""
    ssl_key_file: str = ""

    @model_validator(mode="after")
    def _largest_record_fits(self) -> Self:
        if self.max_in_flight_bytes < self.max_record_bytes:
            raise ValueError("max_in_flight_bytes must not be less than max_record_bytes")
        return self

    @field_validator("url")
    @classmethod
    def _bus(cls, value: str) -> str:
        scheme = value.split("://", 1)[0]
        if scheme == "kafka":  # several comma-separated hosts are no URL for the standard library
            if not value.removeprefix("kafka://").strip("/ ,"):
                raise ValueError("must name at least one broker, as in kafka://host:9092,host2:9092")
            return value
        return _checked_url(value, ("redis", "rediss", "unix", "kafka"))

    @property
    def transport(self) -> Literal["kafka", "redis"]:
        return "kafka" if self.url.startswith("kafka://") else "redis"

    @property
    def bootstrap_servers(self) -> list[str]:
        """Kafka's `host:port` list; empty on Redis."""
        if self.transport != "kafka":
            return []
        return [server for server in self.url.removeprefix("kafka://").rstrip("/").split(",") if server]


class IdentitySettings(SettingsGroup):
    """Secret shared by gateway and services: it signs who asks."""

    model_config = environment("AIRIS_IDENTITY_")

    secret: SecretStr = Field(min_length=32)  # as long as the HMAC-SHA-256 digest (RFC 7518, 3.2)


class KeyFeedSettings(SettingsGroup):
    """Where a service that judges API keys hears of them: the gateway, over HTTP. The secret is shared with the gateway."""

    model_config = environment("AIRIS_KEYS_")

    # Of its own, so that who may ask for keys cannot sign identities.
    secret: SecretStr = Field(min_length=32)
    url: str = "http://127.0.0.1:3000"
    # A revocation is effective everywhere this much later, and one answer.
    poll_seconds: float = Field(default=1.0, gt=0, le=60)
    timeout_seconds: float = Field(default=3.0, gt=0, le=30)
    # A file for the keys last heard of, with which a process starts while the gateway is away; empty for none.
    snapshot: str = ""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        return _checked_url(value, ("http", "https"))


class SessionSettings(SettingsGroup):
    """Secret of the gateway alone: it signs browser sessions."""

    model_config = environment("AIRIS_SESSION_")

    secret: SecretStr = Field(min_length=32)


class TelemetrySettings(SettingsGroup):
    """Where our own traces go. Empty means nowhere."""

    model_config = environment("AIRIS_TELEMETRY_")

    otlp_endpoint: str = ""
    # The export shares the process with requests; it must never hold up a stop.
    export_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    sample_ratio: float = Field(default=1.0, ge=0, le=1)

    @field_validator("otlp_endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        return _checked_url(value, ("http", "https")) if value else value


def _checked_url(value: str, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes:
        raise ValueError(f"must start with one of {', '.join(f'{scheme}://' for scheme in schemes)}")
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("must name a socket path")
    elif not parts.hostname:
        raise ValueError("must name a host")
    return value.rstrip("/") if parts.scheme.startswith("http") else value
