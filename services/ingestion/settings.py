"""Settings of the ingestion roles."""

from pydantic import Field

from libs.common.settings import SettingsGroup, environment


class WriterSettings(SettingsGroup):
    """The writer: how batches are cut and how failures are waited out."""

    model_config = environment("AIRIS_WRITER_")

    host: str = "127.0.0.1"
    port: int = Field(default=4319, ge=0, le=65535)
    # 16 MiB of OTLP are some 40,000 spans: inserts of that size cost a third per row of what inserts of 1,000 rows cost.
    batch_bytes: int = Field(default=16 * 1024**2, ge=64 * 1024, le=256 * 1024**2)
    # The most that waiting for a fuller batch may add to freshness.
    linger_seconds: float = Field(default=0.5, ge=0, le=60)
    poll_seconds: float = Field(default=0.25, gt=0, le=10)
    retry_seconds: float = Field(default=0.25, gt=0, le=60)
    retry_limit_seconds: float = Field(default=10.0, gt=0, le=300)
    # More than a handful a minute is not bad data but a broken store or schema.
    dead_letters_per_minute: int = Field(default=100, ge=1, le=100_000)
