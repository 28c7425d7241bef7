"""Where the embedded product lives: ports, folders, secrets, and the processes made of them."""

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embedded.health import Check, HttpReady, RedisReady

ADMIN_EMAIL = "admin@airis.local"
ROOT = Path(__file__).parents[1]
# Payloads above 128 KiB would be mapped and unmapped one by one: half of Redis's time.
REDIS_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
# In a process's environment it says which installation the process belongs to, whoever has lost its pid.
MARKER = "AIRIS_INSTALLATION"


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port the product listens on, all on loopback."""

    gateway: int = 3000
    ui: int = 3001
    analytics: int = 3002
    otlp_http: int = 4318
    otlp_grpc: int = 4317
    writer: int = 4319
    clickhouse: int = 8123
    redis: int = 6379

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """All ports moved: the gateway's is `base`."""
        return cls(base, base + 1, base + 2, base + 18, base + 17, base + 19, base + 23, base + 79)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per data directory, kept in a file only its owner reads."""

    identity: str
    session: str
    store_password: str
    redis_password: str
    admin_password: str
    api_key: str

    @property
    def keys(self) -> str:
        """Whoever has it may hear which API keys are valid; made of another, so that existing installations have it."""
        return hashlib.sha256(f"airis keys {self.identity}".encode()).hexdigest()

    @classmethod
    def load_or_make(cls, file: Path) -> "Secrets":
        if file.exists():
            return cls(**json.loads(file.read_text()))
        made = cls.make()
        write_private(file, asdict(made))
        return made

    @classmethod
    def make(cls) -> "Secrets":
        """Fresh ones, kept nowhere."""
        # Here and not above, because the supervisor lives long and never needs the store's client.
        from libs.common.auth.api_keys import SCOPES, generate_api_key  # noqa: PLC0415

        return cls(
            identity=secrets.token_urlsafe(48),
            session=secrets.token_urlsafe(48),
            store_password=secrets.token_urlsafe(24),
            redis_password=secrets.token_urlsafe(24),
            admin_password=secrets.token_urlsafe(12),
            api_key=generate_api_key(tenant="default", name="first key", scopes=SCOPES)[1],
        )


def write_private(file: Path, content: dict[str, Any]) -> None:
    """Write JSON that only the owner may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")
    part.replace(file)


@dataclass(frozen=True, slots=True)
class Layout:
    """One installation: its data directory, ports and whether the demo shop sends traffic."""

    data_dir: Path
    ports: Ports
    demo: bool

    @property
    def run_file(self) -> Path:
        return self.data_dir / "run.json"

    @property
    def state_file(self) -> Path:
        return self.data_dir / "state.json"

    @property
    def secrets_file(self) -> Path:
        return self.data_dir / "secrets.json"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def demo_control(self) -> Path:
        return self.data_dir / "demo-control.json"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.gateway}"

    @property
    def otlp_http_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.otlp_http}"

    @property
    def otlp_grpc(self) -> str:
        return f"127.0.0.1:{self.ports.otlp_grpc}"

    def environment(self, made: Secrets) -> dict[str, str]:
        """Settings of every process."""
        ports = self.ports
        redis = f"redis://:{made.redis_password}@127.0.0.1:{ports.redis}/0"
        return {
            MARKER: str(self.data_dir),
            "AIRIS_CLICKHOUSE_URL": f"http://127.0.0.1:{ports.clickhouse}",
            "AIRIS_CLICKHOUSE_PASSWORD": made.store_password,
            "AIRIS_REDIS_URL": redis,
            "AIRIS_BUS_URL": redis,
            # One writer reads everything here; more partitions would only mean smaller inserts.
            "AIRIS_BUS_PARTITIONS": "1",
            "AIRIS_CONTROL_URL": f"sqlite:///{self.data_dir / 'data' / 'control'}",
            "AIRIS_KEYS_SECRET": made.keys,
            "AIRIS_KEYS_URL": self.gateway_url,
            "AIRIS_KEYS_SNAPSHOT": str(self.data_dir / "data" / "receiver" / "api-keys.json"),
            "AIRIS_IDENTITY_SECRET": made.identity,
            "AIRIS_SESSION_SECRET": made.session,
            "AIRIS_ADMIN_EMAIL": ADMIN_EMAIL,
            "AIRIS_ADMIN_PASSWORD": made.admin_password,
            "AIRIS_API_KEY": made.api_key,
            "AIRIS_GATEWAY_PORT": str(ports.gateway),
            "AIRIS_GATEWAY_ANALYTICS_URL": f"http://127.0.0.1:{ports.analytics}",
            "AIRIS_GATEWAY_UI_URL": f"http://127.0.0.1:{ports.ui}",
            "AIRIS_GATEWAY_RECEIVER_URL": self.otlp_http_url,
            "AIRIS_GATEWAY_OTLP_HTTP": self.otlp_http_url,
            "AIRIS_GATEWAY_OTLP_GRPC": self.otlp_grpc,
            "AIRIS_UI_PORT": str(ports.ui),
            "AIRIS_ANALYTICS_PORT": str(ports.analytics),
            "AIRIS_RECEIVER_HTTP_PORT": str(ports.otlp_http),
            "AIRIS_RECEIVER_GRPC_PORT": str(ports.otlp_grpc),
            "AIRIS_WRITER_PORT": str(ports.writer),
            "AIRIS_DEMO_OTLP_ENDPOINT": self.otlp_http_url,
            "AIRIS_DEMO_API_KEY": made.api_key,
            "AIRIS_DEMO_CONTROL_FILE": str(self.demo_control),
            "AIRIS_DEMO_BACKFILL_HOURS": "24",
            "AIRIS_DEMO_WRITER_URL": f"http://127.0.0.1:{ports.writer}",
            "AIRIS_DEMO_API_URL": self.gateway_url,
        }


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: the `roles` it plays, its `command`, and the checks that make it `ready` and show it `alive`.

    Without checks it is well while it runs.
    """

    name: str
    roles: tuple[str, ...]
    command: tuple[str, ...]
    ready: tuple[Check, ...] = ()
    alive: tuple[Check, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def _service(name: str, roles: tuple[str, ...], command: tuple[str, ...], *ports: int) -> ProcessSpec:
    ready = tuple(HttpReady(port) for port in ports)
    return ProcessSpec(name, roles, command, ready, tuple(HttpReady(port, "/livez") for port in ports))


def processes(layout: Layout, made: Secrets, redis_command: tuple[str, ...]) -> tuple[ProcessSpec, ...]:
    """In starting order; engines first. Services that are idle most of the time share one process to save memory."""
    ports, python = layout.ports, sys.executable
    store = str(layout.data_dir / "data" / "clickhouse")
    front = (
        "-m",
        "embedded.clickhouse_front",
        "--host",
        "127.0.0.1",
        "--port",
        str(ports.clickhouse),
        "--path",
        store,
    )
    # Redis answers with an error until its log is loaded, so a connection alone proves nothing.
    redis = RedisReady(ports.redis, made.redis_password)
    specs = [
        ProcessSpec("redis", ("redis",), redis_command, (redis,), (redis,), REDIS_ENVIRONMENT),
        _service("clickhouse", ("clickhouse",), (python, *front), ports.clickhouse),
        _service("receiver", ("receiver",), (python, "-m", "services.ingestion", "receiver"), ports.otlp_http),
        _service("writer", ("writer",), (python, "-m", "services.ingestion", "writer"), ports.writer),
        _service(
            "platform",
            ("api_gateway", "ui", "analytics"),
            (python, "-m", "embedded.group", "ui.api", "analytics.api", "api_gateway.api"),
            ports.analytics,
            ports.ui,
            ports.gateway,
        ),
    ]
    if layout.demo:
        specs.append(ProcessSpec("demo", ("demo",), (python, "-m", "demo")))
    return tuple(specs)
