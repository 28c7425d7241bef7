"""The analytics service's own settings, over the shared groups."""

from dataclasses import dataclass, field
from typing import Self

from pydantic import Field

from libs.common.settings import ClickHouseSettings, IdentitySettings, RedisSettings, SettingsGroup, environment


class AnalyticsSettings(SettingsGroup):
    """Where the service listens, and how much a question may cost."""

    model_config = environment("AIRIS_ANALYTICS_")

    host: str = "127.0.0.1"
    port: int = Field(default=3002, ge=0, le=65535)

    # One statement. Below the gateway's patience with an upstream, so that our own 504 arrives first.
    query_timeout_seconds: float = Field(default=20.0, gt=0, le=600)
    # A search walks through several statements; after this long it gives what it has, and a cursor to go on from.
    search_budget_seconds: float = Field(default=10.0, gt=0, le=600)
    # A span is 1-2 KiB of JSON; no browser draws more of them than this.
    max_trace_spans: int = Field(default=50_000, ge=1, le=1_000_000)
    # Autocompletion looks at this many records, the newest of the range first.
    suggestion_records: int = Field(default=1_000_000, ge=1000)

    # Ranges that touch now. Whoever waits for a span asks again and again: a second is within what ingest takes anyway, and
    # still turns a dashboard that many have open into one question.
    open_cache_seconds: int = Field(default=1, ge=1, le=3600)
    # Ranges that ended a while ago: only late records change them.
    closed_cache_seconds: int = Field(default=60, ge=1, le=86_400)
    # Senders buffer and retry; until this long after its end a range still counts as open.
    settle_seconds: int = Field(default=300, ge=0, le=86_400)
    # A larger answer costs Redis more than the store saves.
    max_cached_bytes: int = Field(default=1024 * 1024, ge=0)
    cache_timeout_seconds: float = Field(default=0.25, gt=0, le=10)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service reads from its environment."""

    identity: IdentitySettings
    analytics: AnalyticsSettings = field(default_factory=AnalyticsSettings)
    clickhouse: ClickHouseSettings = field(default_factory=ClickHouseSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises InvalidSettings."""
        return cls(identity=IdentitySettings())  # type: ignore[call-arg]  # read from the environment
