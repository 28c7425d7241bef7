"""A skip that cannot hide."""

import pytest

from libs.common.testing import require


@pytest.mark.parametrize("promised", ["", "redis", "redis, kafka"])
def test_what_was_not_promised_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch, promised: str) -> None:
    monkeypatch.setenv("AIRIS_REQUIRE", promised)
    with pytest.raises(pytest.skip.Exception, match="needs clickhouse: not installed"):
        require("clickhouse", "not installed")


@pytest.mark.parametrize("promised", ["all", "clickhouse", "redis, clickhouse"])
def test_what_was_promised_fails(monkeypatch: pytest.MonkeyPatch, promised: str) -> None:
    monkeypatch.setenv("AIRIS_REQUIRE", promised)
    with pytest.raises(pytest.fail.Exception, match="clickhouse is required here"):
        require("clickhouse", "not installed")
