"""Settings of a pipeline. A service derives its own group from this one, with its own prefix."""

from typing import Self

from pydantic import Field, model_validator

from libs.common.settings import SettingsGroup


class PipelineSettings(SettingsGroup):
    """How batches are cut and how failures are waited out."""

    # 16 MiB of OTLP are some 40,000 spans: inserts of that size cost a third per row of what inserts of 1,000 rows cost.
    batch_bytes: int = Field(default=16 * 1024**2, ge=64 * 1024, le=256 * 1024**2)
    # The least that a record waits for others, and the most. In between a partition rests ten times as long as its last insert took.
    linger_least_seconds: float = Field(default=0.1, ge=0, le=60)
    linger_seconds: float = Field(default=1.2, ge=0, le=60)
    # All partitions of this process together: records read and not stored yet, and bodies of inserts under way.
    memory_bytes: int = Field(default=256 * 1024**2, ge=512 * 1024)
    # Inserts under way at a time.
    inserts: int = Field(default=3, ge=1, le=64)
    poll_seconds: float = Field(default=0.25, gt=0, le=10)
    retry_seconds: float = Field(default=0.25, gt=0, le=60)
    retry_limit_seconds: float = Field(default=10.0, gt=0, le=300)
    # How often the store may say that a batch takes too much memory before the batch is cut smaller.
    memory_tries: int = Field(default=3, ge=1, le=100)
    # How long to try to count what is stored after an insert of unknown outcome, before going on without.
    count_seconds: float = Field(default=60.0, gt=0, le=3600)
    # More than a handful a minute is not bad data but a broken store or schema.
    dead_letters_per_minute: int = Field(default=100, ge=1, le=100_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.memory_bytes < self.least_memory_bytes:
            raise ValueError(
                f"memory_bytes must be at least {self.least_memory_bytes}, (3 * inserts + 2) * batch_bytes"
            )
        if self.linger_least_seconds > self.linger_seconds:
            raise ValueError("linger_least_seconds must not be more than linger_seconds")
        return self

    @property
    def least_memory_bytes(self) -> int:
        """For each insert its body, and an announced batch that is read to its end, which may be in the middle of a poll; beside
        these one poll, and one batch to fill.
        """
        return (3 * self.inserts + 2) * self.batch_bytes
