"""What can be set about the demo. All from the environment; `python -m demo --help` names the rest."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from libs.common.settings import SettingsGroup, environment

# The background worker that fills the shop's past.
BACKFILL_JOB = "demo-backfill"


class DemoSettings(SettingsGroup):
    """The simulated shop and where its telemetry goes."""

    model_config = environment("AIRIS_DEMO_")

    # Empty means the protocol's default port on loopback.
    otlp_endpoint: str = ""
    otlp_protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    api_key: SecretStr = SecretStr("")
    # Requests per second, of some 17 spans each. Mean over a week; the hour of day moves it by up to 40 %.
    rate: float = Field(default=1.0, gt=0, le=200)
    # Once per installation, the live shop fills in so much of its past in the background; 0: none. Needs AIRIS_REDIS_URL.
    backfill_hours: float = Field(default=0.0, ge=0, le=24 * 30)
    # Where the writer's metrics are: the backfill gives way when it falls behind. Empty: it goes at its first, slow pace.
    writer_url: str = ""
    # Where to ask whether the past is there already. Empty: it is taken to be empty.
    api_url: str = ""
    # Empty: another shop every time. With a seed and a start time the run can be repeated exactly.
    seed: str = ""
    control_file: Path = Path(".airis/demo-control.json")
    export_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    metric_interval_seconds: float = Field(default=15.0, ge=1, le=300)

    @field_validator("otlp_endpoint", "writer_url", "api_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @property
    def endpoint(self) -> str:
        """Where OTLP goes: base URL without a signal path."""
        return self.otlp_endpoint or f"http://127.0.0.1:{4317 if self.otlp_protocol == 'grpc' else 4318}"
