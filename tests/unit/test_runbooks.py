"""Each error id has a runbook, since the id is all that a caller or an alert gives to look it up by."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from libs.common.errors import AirisError, Unavailable

ROOT = Path(__file__).parents[2]
RUNBOOKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")}
METRICS = set(
    yaml.safe_load((ROOT / "contracts" / "telemetry" / "metrics.yaml").read_text(encoding="utf-8"))["metrics"]
)
_SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("libs", "services", "embedded", "cli")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


def _tree(error: type[AirisError]) -> Iterator[type[AirisError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


def _ids() -> dict[str, int]:
    """Status by id, of all errors but the one that is only a branch of the tree."""
    for path in (ROOT / "services").glob("*/errors.py"):
        importlib.import_module(f"services.{path.parent.name}.errors")
    ours = (error for error in _tree(AirisError) if error.__module__.startswith(("libs.", "services.")))
    return {error.id: error.status for error in ours if error is not Unavailable}


def test_every_error_id_has_a_runbook_and_every_runbook_an_error_id() -> None:
    assert RUNBOOKS.keys() == _ids().keys()


@pytest.mark.parametrize("name", sorted(RUNBOOKS))
def test_a_runbook_is_named_after_its_error_and_speaks_of_what_exists(name: str) -> None:
    text = RUNBOOKS[name]
    assert text.startswith(f"# {name} ({_ids()[name]})\n")
    assert set(re.findall(r"\bairis_[a-z_]+", text)) - {"airis_session"} <= METRICS
    for variable in re.findall(r"`AIRIS_([A-Z_]+)`", text):
        # Either the variable as a whole or, without the prefix of its group, as a field.
        assert any(f" {'_'.join(variable.lower().split('_')[n:])}: " in _SOURCE for n in range(3)), variable
