"""The committed description of the API, and the check that holds code and file together."""

from pathlib import Path

import orjson
import pytest

from cli import product_openapi


def test_a_file_that_is_behind_is_refused_and_brought_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "openapi.json"
    assert product_openapi.main([], file) == 1
    assert "--write" in capsys.readouterr().err
    assert product_openapi.main(["--write"], file) == 0
    assert product_openapi.main([], file) == 0
    changed = orjson.loads(file.read_bytes())
    changed["paths"]["/api/v1/traces"]["get"]["summary"] = "Another one"
    file.write_bytes(orjson.dumps(changed))
    assert product_openapi.main([], file) == 1


def test_it_holds_what_all_services_say() -> None:
    paths = product_openapi.document()["paths"]
    assert {"/api/v1/auth/sign-in", "/api/v1/traces/{trace_id}", "/v1/traces"} <= set(paths)
