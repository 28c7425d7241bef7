"""The lint that compares metric declarations with their contract."""

from pathlib import Path

import pytest
import yaml

from libs.common.telemetry_contract import CONTRACT, check, main, read_code, read_contract

CODE = """
from libs.common.metrics import Metrics, counter as count, gauge

class Some(Metrics):
    rows = count("airis_some_rows_total", "Rows.", unit="rows", labels=("signal",))
    lag = gauge("airis_some_lag_records", "Lag.", unit="records")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "some.py").write_text(CODE)
    return tmp_path


def _complaints(root: Path) -> str:
    return "\n".join(str(problem) for problem in check(root))


def test_declarations_are_read_without_running_the_code(root: Path) -> None:
    declarations, problems = read_code(root)
    assert problems == []
    assert [(d.name, d.type, d.unit, d.labels, d.meaning, d.declared_in) for d in declarations] == [
        ("airis_some_rows_total", "counter", "rows", ("signal",), "Rows.", "services/some.py"),
        ("airis_some_lag_records", "gauge", "records", (), "Lag.", "services/some.py"),
    ]


def test_write_makes_both_sides_agree_and_keeps_what_people_wrote(root: Path) -> None:
    assert main(["--root", str(root)]) == 1
    assert main(["--root", str(root), "--write"]) == 0
    assert main(["--root", str(root)]) == 0
    path = root / CONTRACT
    content = yaml.safe_load(path.read_text())
    content["metrics"]["airis_some_lag_records"]["act"] = "Add consumers when it grows for ten minutes."
    path.write_text(yaml.safe_dump(content))
    (root / "services" / "some.py").write_text(CODE.replace('"Lag."', '"Records behind."'))
    assert "meaning is 'Lag.', the code says 'Records behind.'" in _complaints(root)
    assert main(["--root", str(root), "--write"]) == 0
    entry = read_contract(root)["airis_some_lag_records"]
    assert entry["act"].startswith("Add consumers")
    assert entry["meaning"] == "Records behind."


def test_a_metric_on_one_side_only_is_reported(root: Path) -> None:
    main(["--root", str(root), "--write"])
    path = root / CONTRACT
    content = yaml.safe_load(path.read_text())
    content["metrics"]["airis_gone_total"] = content["metrics"].pop("airis_some_rows_total")
    path.write_text(yaml.safe_dump(content))
    complaints = _complaints(root)
    assert "airis_some_rows_total is not in" in complaints
    assert "airis_gone_total: no code declares it" in complaints


def test_a_name_declared_twice_is_reported(root: Path) -> None:
    (root / "services" / "twin.py").write_text(CODE)
    assert "airis_some_rows_total is declared in services/some.py too" in _complaints(root)


def test_what_cannot_be_read_and_what_goes_around_is_reported(root: Path) -> None:
    (root / "services" / "odd.py").write_text(
        "from libs.common.metrics import counter\nfrom prometheus_client import Counter\nN = 'airis_x_total'\n"
        "a = counter(N, 'X.', unit='x')\n"
    )
    complaints = _complaints(root)
    assert "services/odd.py:4: a counter's name, meaning, unit and labels must be literals" in complaints
    assert "services/odd.py:2: declare with libs.common.metrics, not with Counter" in complaints


def test_this_repository_keeps_its_contract() -> None:
    assert check(Path(__file__).parents[4]) == []
