"""Settings from the environment, and what they refuse."""

from ipaddress import ip_network

import pytest

from libs.common.settings import ControlSettings, InvalidSettings
from services.api_gateway.settings import GatewaySettings, Settings


def test_defaults_listen_on_loopback_and_trust_nobody() -> None:
    settings = GatewaySettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert settings.trusted_networks == ()
    assert settings.cors_origins == ()
    assert (settings.analytics_url, settings.ui_url) == ("http://127.0.0.1:3002", "http://127.0.0.1:3001")
    assert settings.receiver_url == "http://127.0.0.1:4318"


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRIS_GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("AIRIS_GATEWAY_CORS_ORIGINS", "https://grafana.example")
    settings = GatewaySettings()
    assert settings.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.cors_origins == ("https://grafana.example",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANALYTICS_URL", "analytics:3002"),
        ("ANALYTICS_URL", "http://analytics:3002/base"),
        ("UI_URL", "ftp://ui"),
        ("RECEIVER_URL", "http://"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://grafana.example/path"),
        ("TRUSTED_PROXIES", "ingress.example"),
        ("RATE_LIMIT_PER_SECOND", "0"),
        ("PORT", "70000"),
    ],
)
def test_what_cannot_work_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AIRIS_GATEWAY_{name}", value)
    with pytest.raises(InvalidSettings, match=f"AIRIS_GATEWAY_{name}"):
        GatewaySettings()


def test_secrets_have_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings, match="AIRIS_IDENTITY_SECRET"):
        Settings.from_environment()
    monkeypatch.setenv("AIRIS_IDENTITY_SECRET", "i" * 32)
    with pytest.raises(InvalidSettings, match="AIRIS_SESSION_SECRET"):
        Settings.from_environment()
    monkeypatch.setenv("AIRIS_SESSION_SECRET", "s" * 32)
    with pytest.raises(InvalidSettings, match="AIRIS_KEYS_SECRET"):
        Settings.from_environment()
    monkeypatch.setenv("AIRIS_KEYS_SECRET", "k" * 32)
    settings = Settings.from_environment()
    assert "iiii" not in repr(settings)
    assert "ssss" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["sqlite:///", "sqlite://x", "mysql://h/d", "postgresql://", "postgresql://u:hunter2@h", ""]
)
def test_a_control_store_is_a_directory_or_a_postgresql(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AIRIS_CONTROL_URL", url)
    with pytest.raises(InvalidSettings, match="AIRIS_CONTROL_URL") as raised:
        ControlSettings()
    assert "hunter2" not in str(raised.value)
