"""Settings of the ingestion roles."""

from typing import Self

from pydantic import Field, model_validator

from libs.common.pipeline import PipelineSettings
from libs.common.settings import SettingsGroup, environment


class WriterSettings(PipelineSettings):
    """The writer: where its probes are, and its pipeline."""

    model_config = environment("AIRIS_WRITER_")

    host: str = "127.0.0.1"
    port: int = Field(default=4319, ge=0, le=65535)


class ReceiverSettings(SettingsGroup):
    """The receiver: where it listens and how much it takes at once."""

    model_config = environment("AIRIS_RECEIVER_")

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=4318, ge=0, le=65535)
    grpc_host: str = "127.0.0.1"
    grpc_port: int = Field(default=4317, ge=0, le=65535)
    # As sent, packed or not. SDKs send less than 1 MiB, collectors some 4 MiB.
    max_body_bytes: int = Field(default=32 * 1024**2, ge=64 * 1024, le=1024**3)
    # Unpacked; also gRPC's largest message.
    max_unpacked_bytes: int = Field(default=64 * 1024**2, ge=64 * 1024, le=1024**3)
    # Larger requests are cut, so that no record on the bus is larger, and so that no parse needs more than 90 times this.
    max_message_bytes: int = Field(default=4 * 1024**2, ge=64 * 1024, le=64 * 1024**2)
    # A span of 10,000 attributes is a loop that forgot to end; SDKs stop at 128.
    max_attributes: int = Field(default=10_000, ge=128, le=1_000_000)
    # All requests together, packed and unpacked. Beyond it senders are told to come back, and keep their data meanwhile.
    max_in_flight_bytes: int = Field(default=256 * 1024**2, ge=1024**2)
    # Unpacked bytes a second for one tenant on this process; 0 means no limit.
    tenant_bytes_per_second: int = Field(default=0, ge=0)
    # How many seconds' worth a tenant may send at once after a pause.
    tenant_burst_seconds: float = Field(default=10.0, gt=0, le=3600)
    # For a body to arrive. 32 MiB in 30 s is a slow line, less is a sender that holds connections open.
    body_timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    # Comma-separated origins of web pages that may send, `*` for any text (`https://*.example.com`); the key, not the origin, says whose data it is.
    cors_origins: str = "*"
    # Comma-separated headers that such pages may add, `*` for any text (`x-*`): their SDKs add baggage, b3 and the like.
    cors_headers: str = "*"

    @model_validator(mode="after")
    def _one_request_fits(self) -> Self:
        if self.max_in_flight_bytes < self.max_body_bytes + self.max_unpacked_bytes:
            raise ValueError("max_in_flight_bytes must hold one request: max_body_bytes + max_unpacked_bytes")
        return self
