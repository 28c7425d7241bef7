"""Settings come from the environment, and say what is wrong with it without showing it."""

import pytest

from libs.common.settings import (
    BusSettings,
    ClickHouseSettings,
    IdentitySettings,
    InvalidSettings,
    RedisSettings,
    ServiceSettings,
    SessionSettings,
    TelemetrySettings,
)


def test_defaults_stay_on_loopback() -> None:
    assert ClickHouseSettings().url == "http://127.0.0.1:8123"
    assert RedisSettings().url == "redis://127.0.0.1:6379/0"
    assert BusSettings().transport == "redis"
    assert TelemetrySettings().otlp_endpoint == ""


@pytest.mark.parametrize(("group", "variable"), [(IdentitySettings, "IDENTITY"), (SessionSettings, "SESSION")])
def test_a_secret_has_no_default_and_is_named_when_missing(group: type, variable: str) -> None:
    with pytest.raises(InvalidSettings, match=f"AIRIS_{variable}_SECRET: Field required"):
        group()


def test_a_short_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRIS_IDENTITY_SECRET", "hunter2hunter2")
    with pytest.raises(InvalidSettings, match="AIRIS_IDENTITY_SECRET") as caught:
        IdentitySettings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_is_not_shown_by_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRIS_IDENTITY_SECRET", "s" * 40)
    monkeypatch.setenv("AIRIS_CLICKHOUSE_PASSWORD", "hunter2")
    assert "sss" not in repr(IdentitySettings())
    assert "hunter2" not in repr(ClickHouseSettings())


def test_every_mistake_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRIS_CLICKHOUSE_URL", "127.0.0.1:8123")
    monkeypatch.setenv("AIRIS_CLICKHOUSE_DATABASE", "x; DROP DATABASE y")
    with pytest.raises(InvalidSettings, match="AIRIS_CLICKHOUSE_URL.*AIRIS_CLICKHOUSE_DATABASE"):
        ClickHouseSettings()


@pytest.mark.parametrize(
    ("url", "transport", "servers"),
    [
        ("redis://cache:6379/2", "redis", []),
        ("rediss://cache:6379/2", "redis", []),
        ("unix:///run/redis.sock", "redis", []),
        ("kafka://one:9092", "kafka", ["one:9092"]),
        ("kafka://one:9092,two:9092/", "kafka", ["one:9092", "two:9092"]),
    ],
)
def test_the_bus_url_chooses_the_transport(url: str, transport: str, servers: list[str]) -> None:
    settings = BusSettings(url=url)
    assert settings.transport == transport
    assert settings.bootstrap_servers == servers


@pytest.mark.parametrize("url", ["", "localhost:9092", "amqp://host", "kafka://", "redis:///0", "unix://"])
def test_a_bus_url_without_transport_or_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="AIRIS_BUS_URL"):
        BusSettings(url=url)


def test_a_trailing_slash_of_a_url_does_not_matter() -> None:
    assert ClickHouseSettings(url="https://store:8443/").url == "https://store:8443"
    assert TelemetrySettings(otlp_endpoint="http://127.0.0.1:4318/").otlp_endpoint == "http://127.0.0.1:4318"


def test_unknown_log_levels_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="AIRIS_LOG_LEVEL"):
        ServiceSettings(log_level="loud")
