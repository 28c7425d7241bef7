"""The gateway's own settings, over the shared groups."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from libs.common.settings import (
    ControlSettings,
    IdentitySettings,
    KeyFeedSettings,
    RedisSettings,
    SessionSettings,
    SettingsGroup,
    environment,
)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class GatewaySettings(SettingsGroup):
    """Where the gateway listens, whom it forwards to, and how much it lets through."""

    model_config = environment("AIRIS_GATEWAY_")

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    # Metrics and the details of readiness: for Prometheus and operators, never for the outside.
    admin_host: str = "127.0.0.1"
    admin_port: int = Field(default=3009, ge=0, le=65535)

    analytics_url: str = "http://127.0.0.1:3002"
    ui_url: str = "http://127.0.0.1:3001"
    receiver_url: str = "http://127.0.0.1:4318"
    # Where programs send to, as people copy it from the first page; empty when only the receiver's own addresses are known.
    otlp_http: str = ""
    otlp_grpc: str = ""
    upstream_connect_timeout_seconds: float = Field(default=2.0, gt=0, le=30)
    # The longest silence of an upstream, above the store's query cap, so that its own 504 arrives first.
    upstream_read_timeout_seconds: float = Field(default=40.0, gt=0, le=600)
    # Per upstream, so that a slow one cannot use up the connections of the others.
    upstream_max_connections: int = Field(default=128, ge=1, le=4096)

    # Cookies only over TLS. Off by default because the default listens on loopback without TLS.
    secure_cookies: bool = False
    # Addresses whose X-Forwarded-* are believed: our own ingress. Everybody else's are replaced.
    trusted_proxies: CommaSeparated = ()
    # Names under which people reach us, beside loopback ones and bare addresses: a page that points its own name at this
    # machine (DNS rebinding) gets nothing. `.example.org` is all below it, `*` is any.
    allowed_hosts: CommaSeparated = ()
    # Other origins whose scripts may read the API with a key; never with a cookie.
    cors_origins: CommaSeparated = ()

    # A script that asks one question after another stays below it; one that asks many at once without end does not.
    rate_limit_per_second: float = Field(default=100.0, gt=0, le=100_000)
    rate_limit_burst: int = Field(default=300, ge=1, le=1_000_000)
    # Tries to sign in, per e-mail and address; one is given back every `sign_in_refill_seconds`.
    sign_in_burst: int = Field(default=5, ge=1, le=1000)
    sign_in_refill_seconds: float = Field(default=30.0, gt=0, le=86_400)
    # At once; an argon2 check takes tens of milliseconds of a core and 64 MiB.
    password_checks: int = Field(default=2, ge=1, le=64)
    # The limiter and the list of ended sessions sit in front of every request; a slow Redis must not hold them up.
    redis_timeout_seconds: float = Field(default=0.25, gt=0, le=10)

    # Sign-in and key forms are a few hundred bytes.
    max_body_bytes: int = Field(default=64 * 1024, ge=1024)
    # Above the receiver's own limit, which answers in the client's protocol.
    max_ingest_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)

    @field_validator("analytics_url", "ui_url", "receiver_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be http://host:port without a path")
        return value.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.netloc
                or f"{parts.scheme}://{parts.netloc}" != origin
            ):
                raise ValueError("must be origins as in https://grafana.example, comma separated")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)
        return value

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(network, strict=False) for network in self.trusted_proxies)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the gateway reads from its environment."""

    identity: IdentitySettings
    session: SessionSettings
    keys: KeyFeedSettings
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises InvalidSettings."""
        # Their secrets have no default on purpose; mypy does not see that the environment fills them.
        return cls(identity=IdentitySettings(), session=SessionSettings(), keys=KeyFeedSettings())  # type: ignore[call-arg]
