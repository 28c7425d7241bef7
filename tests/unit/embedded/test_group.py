from __future__ import annotations

import os

import pytest

from embedded.group import own_settings


def test_a_service_sees_its_own_settings_and_not_those_of_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRIS_CLICKHOUSE_USER", "shared")
    monkeypatch.setenv("analytics.AIRIS_CLICKHOUSE_USER", "reader")
    monkeypatch.setenv("api_gateway.AIRIS_CLICKHOUSE_USER", "keeper")
    before = dict(os.environ)
    for service, user in (("analytics", "reader"), ("api_gateway", "keeper"), ("ui", "shared")):
        with own_settings(service):
            assert os.environ["AIRIS_CLICKHOUSE_USER"] == user
        assert dict(os.environ) == before
