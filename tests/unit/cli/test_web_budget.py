"""What a page weighs: its chunk and all it imports, each once."""

import os
from pathlib import Path

import orjson
import pytest

from cli.web_budget import first_loads, over_budget


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """An entry of 1 KB and two pages; both share 2 KB, one has 30 KB of its own. Random bytes do not get smaller."""
    (tmp_path / "assets").mkdir()
    sizes = {"index": 1000, "shared": 2000, "light": 500, "heavy": 30_000}
    for name, size in sizes.items():
        (tmp_path / "assets" / f"{name}.js").write_bytes(os.urandom(size))
    manifest = {
        "index.html": {
            "file": "assets/index.js", "isEntry": True, "imports": ["_shared.js"], "dynamicImports": ["light"],
        },
        # The bundler decides which chunk the list of pages is in.
        "_shared.js": {"file": "assets/shared.js", "dynamicImports": ["heavy"]},
        "light": {"file": "assets/light.js", "imports": ["index.html", "_shared.js"]},
        "heavy": {"file": "assets/heavy.js", "imports": ["_shared.js"]},
    }  # fmt: skip
    (tmp_path / ".manifest.json").write_bytes(orjson.dumps(manifest))
    return tmp_path


def test_a_page_weighs_the_entry_itself_and_what_they_import_once(static: Path) -> None:
    loads = first_loads(static)
    assert loads["index.html"] == pytest.approx(3000, rel=0.05)
    assert loads["light"] == pytest.approx(3500, rel=0.05)
    assert loads["heavy"] == pytest.approx(33_000, rel=0.05)


def test_a_page_over_the_budget_is_named_with_its_weight(static: Path) -> None:
    assert over_budget(static, limit=40_000) == []
    (line,) = over_budget(static, limit=20_000)
    assert line.startswith("heavy: 32 KiB of script on first load, 20 KiB are allowed")
