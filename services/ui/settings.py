"""Where the UI service listens and what it serves."""

from pathlib import Path

from pydantic import Field

from libs.common.settings import SettingsGroup, environment


class UiSettings(SettingsGroup):
    """The UI service."""

    model_config = environment("AIRIS_UI_")

    # Behind the gateway, which forwards every path that is not the API's.
    host: str = "127.0.0.1"
    port: int = Field(default=3001, ge=0, le=65535)
    # The build; read into memory once, at start.
    static: Path = Path(__file__).parent / "static"
