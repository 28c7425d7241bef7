"""What can be set about the demo. All from the environment; `python -m demo --help` names the rest."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from libs.common.settings import SettingsGroup, environment


class DemoSettings(SettingsGroup):
    """The simulated shop and where its telemetry goes."""

    model_config = environment("AIRIS_DEMO_")

    # Empty means the protocol's default port on loopback.
    otlp_endpoint: str = ""
    otlp_protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    api_key: SecretStr = SecretStr("")
    # Mean over a week; the hour of day moves it by up to 40 %.
    rate: float = Field(default=3.0, gt=0, le=200)
    # Empty: another shop every time. With a seed and a start time the run can be repeated exactly.
    seed: str = ""
    control_file: Path = Path(".airis/demo-control.json")
    export_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    metric_interval_seconds: float = Field(default=15.0, ge=1, le=300)

    @field_validator("otlp_endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @property
    def endpoint(self) -> str:
        """Where OTLP goes: base URL without a signal path."""
        return self.otlp_endpoint or f"http://127.0.0.1:{4317 if self.otlp_protocol == 'grpc' else 4318}"
