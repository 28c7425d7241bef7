from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from cli.settings_tables import ROOT, main, stale, table
from libs.common.settings import SettingsGroup, environment


class Sample(SettingsGroup):
    """A group with a default of each form."""

    model_config = environment("AIRIS_SAMPLE_")

    secret: SecretStr
    password: SecretStr = SecretStr("")
    # Two lines | that say
    # why.
    max_bytes: int = Field(default=3 * 1024**2, ge=1)
    odd_bytes: int = 1025
    enabled: bool = False
    seconds: float = 0.5
    host: str = "127.0.0.1"


def test_a_table_has_variable_default_and_reason() -> None:
    assert table(Sample).splitlines()[2:] == [
        "| `AIRIS_SAMPLE_SECRET` | required |  |",
        "| `AIRIS_SAMPLE_PASSWORD` | none |  |",
        "| `AIRIS_SAMPLE_MAX_BYTES` | 3 MiB | Two lines \\| that say why. |",
        "| `AIRIS_SAMPLE_ODD_BYTES` | 1025 |  |",
        "| `AIRIS_SAMPLE_ENABLED` | false |  |",
        "| `AIRIS_SAMPLE_SECONDS` | 0.5 |  |",
        "| `AIRIS_SAMPLE_HOST` | `127.0.0.1` |  |",
    ]


def test_a_stale_table_is_reported_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "services" / "some" / "README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("# some\n\n<!-- settings: services.ui.settings.UiSettings -->\nold\n<!-- end -->\nrest\n")
    assert main([], tmp_path) == 1
    assert "services/some/README.md: settings changed" in capsys.readouterr().err
    assert main(["--write"], tmp_path) == 0
    assert main([], tmp_path) == 0
    text = readme.read_text()
    assert "| `AIRIS_UI_PORT` | 3001 |" in text
    assert text.startswith("# some\n")
    assert text.endswith("<!-- end -->\nrest\n")


def test_the_tables_of_this_repository_are_up_to_date() -> None:
    assert list(stale(ROOT)) == []
