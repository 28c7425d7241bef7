from __future__ import annotations

import json
import stat
from dataclasses import asdict
from pathlib import Path

from embedded.layout import STORE_ACCOUNTS, Layout, Ports, Secrets, processes
from embedded.redis import redis_command
from libs.common.auth.api_keys import parse_key_id
from libs.common.settings import (
    BusSettings,
    ClickHouseSettings,
    ControlSettings,
    IdentitySettings,
    KeyFeedSettings,
    RedisSettings,
    SessionSettings,
)


def test_a_port_base_moves_every_port() -> None:
    moved, usual = asdict(Ports.from_base(21000)), asdict(Ports())
    assert moved == {
        "gateway": 21000, "ui": 21001, "analytics": 21002, "otlp_http": 21018, "otlp_grpc": 21017, "writer": 21019,
        "clickhouse": 21023, "redis": 21079, "gateway_admin": 21009,
    }  # fmt: skip
    assert len(set(usual.values())) == len(usual)


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = Secrets.load_or_make(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Secrets.load_or_make(file) == made
    assert parse_key_id(made.api_key)
    assert len(set(asdict(made).values())) == len(asdict(made))


def test_services_find_their_settings(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made = Secrets.make()
    layout = Layout(tmp_path, Ports.from_base(21000), demo=True)
    for name, value in layout.environment(made).items():
        monkeypatch.setenv(name, value)
    assert ClickHouseSettings().url == "http://127.0.0.1:21023"
    assert ClickHouseSettings().password.get_secret_value() == made.store_password
    assert RedisSettings().url == BusSettings().url == f"redis://:{made.redis_password}@127.0.0.1:21079/0"
    assert IdentitySettings().secret.get_secret_value() == made.identity
    assert SessionSettings().secret.get_secret_value() == made.session
    assert ControlSettings().directory == tmp_path / "data" / "control"
    keys = KeyFeedSettings()
    assert (keys.url, keys.secret.get_secret_value()) == ("http://127.0.0.1:21000", made.keys)
    assert made.keys not in asdict(made).values()


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    made = Secrets.make()
    redis = redis_command(tmp_path / "redis", 21079, made.redis_password)
    assert stat.S_IMODE((tmp_path / "redis" / "redis.conf").stat().st_mode) == 0o600
    words = [
        word
        for spec in processes(Layout(tmp_path, Ports(), demo=True), made, redis)
        for word in spec.command
        if any(secret in word for secret in asdict(made).values())
    ]
    assert words == []


def test_engines_start_first_and_the_demo_last(tmp_path: Path) -> None:
    made = Secrets.make()
    names = [spec.name for spec in processes(Layout(tmp_path, Ports(), demo=True), made, ("redis",))]
    assert names == ["redis", "clickhouse", "receiver", "writer", "platform", "demo"]
    assert "demo" not in [spec.name for spec in processes(Layout(tmp_path, Ports(), demo=False), made, ("redis",))]


def test_secrets_of_the_release_before_are_kept_and_completed(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    old = {"identity", "session", "store_password", "redis_password", "admin_password", "api_key"}
    before = {name: value for name, value in asdict(Secrets.make()).items() if name in old}
    file.write_text(json.dumps(before))
    made = Secrets.load_or_make(file)
    assert {name: getattr(made, name) for name in old} == before
    assert len({getattr(made, name) for name in STORE_ACCOUNTS.values()}) == len(STORE_ACCOUNTS)
    assert Secrets.load_or_make(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_ports_of_the_release_before_are_completed() -> None:
    before = {name: port for name, port in asdict(Ports.from_base(21000)).items() if name != "gateway_admin"}
    assert Ports.from_state(before) == Ports.from_base(21000)


def test_each_process_is_told_its_own_secrets_only(tmp_path: Path) -> None:
    made = Secrets.make()
    layout = Layout(tmp_path, Ports(), demo=True)
    told = {spec.name: spec.environment for spec in processes(layout, made, ("redis",))}
    told["setup"] = layout.setup_environment(made)
    holds = {
        name: {secret for secret, value in asdict(made).items() if any(value in text for text in environment.values())}
        for name, environment in told.items()
    }
    assert holds == {
        "redis": set(),
        "clickhouse": {"store_password"},
        "receiver": {"redis_password"},
        "writer": {"store_writer", "redis_password"},
        "platform": {"identity", "session", "store_analytics", "redis_password"},
        "demo": {"api_key", "redis_password"},
        "setup": {"store_migrator", "redis_password", "admin_password", "api_key"},
    }


def test_setup_leaves_the_keys_where_the_receiver_looks_for_them(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path, Ports(), demo=False), Secrets.make()
    told = layout.process_environments(made)["receiver"]["AIRIS_KEYS_SNAPSHOT"]
    assert layout.setup_environment(made)["AIRIS_KEYS_SNAPSHOT"] == told
