from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path

from cli.compose_env import ensure

ROOT = Path(__file__).parents[3]


def test_it_names_what_compose_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "compose.env"
    assert ensure(file)
    named = {line.partition("=")[0] for line in file.read_text().splitlines()}
    asked = set(re.findall(r"\$\{(\w+):\?run make compose-env\}", (ROOT / "compose.yaml").read_text()))
    assert asked <= named
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_secrets_are_made_once(tmp_path: Path) -> None:
    file = tmp_path / "compose.env"
    assert ensure(file)
    before = file.read_text()
    assert not ensure(file)
    assert file.read_text() == before
    assert ensure(tmp_path / "other.env")
    assert (tmp_path / "other.env").read_text() != before


def test_a_file_of_the_release_before_is_completed(tmp_path: Path) -> None:
    file = tmp_path / "compose.env"
    file.write_text("AIRIS_CLICKHOUSE_PASSWORD=kept\nAIRIS_API_KEY=a=b\n")
    file.chmod(0o644)
    assert ensure(file)
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert (values["AIRIS_CLICKHOUSE_PASSWORD"], values["AIRIS_API_KEY"]) == ("kept", "a=b")
    digest = hashlib.sha256(values["AIRIS_CLICKHOUSE_WRITER_PASSWORD"].encode()).hexdigest()
    assert values["AIRIS_CLICKHOUSE_WRITER_SHA256"] == digest
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not ensure(file)
