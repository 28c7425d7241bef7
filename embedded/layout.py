"""Where the embedded product lives: ports, folders, secrets, and the processes made of them."""

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from embedded.health import Check, HttpReady, RedisReady

ADMIN_EMAIL = "admin@airis.local"
ROOT = Path(__file__).parents[1]
# Payloads above 128 KiB would be mapped and unmapped one by one: half of Redis's time.
REDIS_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
# Accounts of the store and the secrets that open them.
STORE_ACCOUNTS: Mapping[str, str] = {
    "airis_migrator": "store_migrator",
    "airis_analytics": "store_analytics",
    "airis_writer": "store_writer",
}
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
    # What operators ask the gateway: metrics and the details of readiness.
    gateway_admin: int = 3009

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """All ports moved: the gateway's is `base`."""
        return cls(base, base + 1, base + 2, base + 18, base + 17, base + 19, base + 23, base + 79, base + 9)

    @classmethod
    def from_state(cls, ports: Mapping[str, int]) -> "Ports":
        """Ports of a state file, which a release before this one may have written."""
        return cls(**{"gateway_admin": ports["gateway"] + 9, **ports})


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per data directory, kept in a file only its owner reads."""

    identity: str
    session: str
    store_password: str
    redis_password: str
    admin_password: str
    api_key: str
    # Passwords of the store's accounts (schema/clickhouse/accounts.xml); `store_password` is the operator's.
    store_migrator: str
    store_analytics: str
    store_writer: str

    @property
    def keys(self) -> str:
        """Whoever has it may hear which API keys are valid; made of another, so that existing installations have it."""
        return hashlib.sha256(f"airis keys {self.identity}".encode()).hexdigest()

    @classmethod
    def load_or_make(cls, file: Path) -> "Secrets":
        """What the file has; what it has not, because a release before this one wrote it, is made and added."""
        kept = json.loads(file.read_text()) if file.exists() else {}
        names = {one.name for one in fields(cls)}
        if names <= kept.keys():
            return cls(**{name: kept[name] for name in names})
        made = asdict(cls.make()) | kept
        write_private(file, made)
        return cls(**{name: made[name] for name in names})

    @classmethod
    def make(cls) -> "Secrets":
        """Fresh ones, kept nowhere."""
        # Here and not above, because the supervisor lives long and never needs the store's client.
        from libs.common.auth.api_keys import SCOPES, generate_api_key  # noqa: PLC0415

        return cls(
            identity=secrets.token_urlsafe(48),
            session=secrets.token_urlsafe(48),
            **{name: secrets.token_urlsafe(24) for name in ("store_password", *STORE_ACCOUNTS.values())},
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
        """Every setting there is, with the store's operator: for commands and tests, never for a process that stays."""
        return {
            **self._store_address(),
            "AIRIS_CLICKHOUSE_USER": "default",
            "AIRIS_CLICKHOUSE_PASSWORD": made.store_password,
            **self._redis(made),
            **self._bus(made),
            **self._setup(made),
            **self._control(made),
            **self._key_feed(made),
            **self._gateway(made),
            **self._ports(),
            **self._demo(made),
        }

    def setup_environment(self, made: Secrets) -> dict[str, str]:
        """What migrates, declares topics and makes the first tenant is told."""
        return {
            **self._store(made, "airis_migrator"),
            **self._bus(made),
            **self._control(made),
            **self._setup(made),
            # It leaves the keys where the receiver looks for them, which then needs no gateway to start.
            **self._key_snapshot(),
        }

    def _store_address(self) -> dict[str, str]:
        return {MARKER: str(self.data_dir), "AIRIS_CLICKHOUSE_URL": f"http://127.0.0.1:{self.ports.clickhouse}"}

    def _store(self, made: Secrets, account: str) -> dict[str, str]:
        return {**self._store_address(), **store_account(made, account)}

    def _redis(self, made: Secrets) -> dict[str, str]:
        return {"AIRIS_REDIS_URL": f"redis://:{made.redis_password}@127.0.0.1:{self.ports.redis}/0"}

    def _bus(self, made: Secrets) -> dict[str, str]:
        # One writer reads everything here; more partitions would only mean smaller inserts.
        return {"AIRIS_BUS_URL": self._redis(made)["AIRIS_REDIS_URL"], "AIRIS_BUS_PARTITIONS": "1"}

    def _control(self, made: Secrets) -> dict[str, str]:
        return {"AIRIS_CONTROL_URL": f"sqlite:///{self.data_dir / 'data' / 'control'}", "AIRIS_KEYS_SECRET": made.keys}

    def _key_feed(self, made: Secrets) -> dict[str, str]:
        return {"AIRIS_KEYS_SECRET": made.keys, "AIRIS_KEYS_URL": self.gateway_url, **self._key_snapshot()}

    def _key_snapshot(self) -> dict[str, str]:
        return {"AIRIS_KEYS_SNAPSHOT": str(self.data_dir / "data" / "receiver" / "api-keys.json")}

    def _setup(self, made: Secrets) -> dict[str, str]:
        return {
            "AIRIS_ADMIN_EMAIL": ADMIN_EMAIL,
            "AIRIS_ADMIN_PASSWORD": made.admin_password,
            "AIRIS_API_KEY": made.api_key,
        }

    def _gateway(self, made: Secrets) -> dict[str, str]:
        ports = self.ports
        return {
            "AIRIS_IDENTITY_SECRET": made.identity,
            "AIRIS_SESSION_SECRET": made.session,
            "AIRIS_GATEWAY_ANALYTICS_URL": f"http://127.0.0.1:{ports.analytics}",
            "AIRIS_GATEWAY_UI_URL": f"http://127.0.0.1:{ports.ui}",
            "AIRIS_GATEWAY_RECEIVER_URL": self.otlp_http_url,
            "AIRIS_GATEWAY_OTLP_HTTP": self.otlp_http_url,
            "AIRIS_GATEWAY_OTLP_GRPC": self.otlp_grpc,
        }

    def _ports(self) -> dict[str, str]:
        ports = self.ports
        return {
            "AIRIS_GATEWAY_PORT": str(ports.gateway),
            "AIRIS_GATEWAY_ADMIN_PORT": str(ports.gateway_admin),
            "AIRIS_UI_PORT": str(ports.ui),
            "AIRIS_ANALYTICS_PORT": str(ports.analytics),
            "AIRIS_RECEIVER_HTTP_PORT": str(ports.otlp_http),
            "AIRIS_RECEIVER_GRPC_PORT": str(ports.otlp_grpc),
            "AIRIS_WRITER_PORT": str(ports.writer),
        }

    def _demo(self, made: Secrets) -> dict[str, str]:
        return {
            "AIRIS_DEMO_OTLP_ENDPOINT": self.otlp_http_url,
            "AIRIS_DEMO_API_KEY": made.api_key,
            "AIRIS_DEMO_CONTROL_FILE": str(self.demo_control),
            "AIRIS_DEMO_BACKFILL_HOURS": "24",
            "AIRIS_DEMO_WRITER_URL": f"http://127.0.0.1:{self.ports.writer}",
            "AIRIS_DEMO_API_URL": self.gateway_url,
        }

    def process_environments(self, made: Secrets) -> dict[str, dict[str, str]]:
        """What each process is told, by its name: the secrets it uses, and no other.

        In a process of several services a setting of one of them carries the service's name in front (embedded/group.py).
        """
        marker = {MARKER: str(self.data_dir)}
        told = {
            "redis": REDIS_ENVIRONMENT,
            "clickhouse": {"AIRIS_CLICKHOUSE_PASSWORD": made.store_password, **store_digests(made)},
            "receiver": {**self._key_feed(made), **self._bus(made)},
            "writer": {**self._store(made, "airis_writer"), **self._bus(made)},
            "platform": {
                **{f"analytics.{name}": value for name, value in self._store(made, "airis_analytics").items()},
                **self._redis(made),
                **self._control(made),
                **self._gateway(made),
            },
            # Whether its past is filled in is kept in Redis.
            "demo": {**self._demo(made), **self._redis(made)},
        }
        return {name: {**marker, **self._ports(), **values} for name, values in told.items()}


def store_account(made: Secrets, account: str) -> dict[str, str]:
    """Name and password of an account of the store, as settings."""
    return {"AIRIS_CLICKHOUSE_USER": account, "AIRIS_CLICKHOUSE_PASSWORD": getattr(made, STORE_ACCOUNTS[account])}


def store_digests(made: Secrets) -> dict[str, str]:
    """What the store is told of the accounts' passwords, under the names that accounts.xml asks for."""
    return {
        f"AIRIS_CLICKHOUSE_{account.removeprefix('airis_').upper()}_SHA256": hashlib.sha256(
            getattr(made, secret).encode()
        ).hexdigest()
        for account, secret in STORE_ACCOUNTS.items()
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


def processes(layout: Layout, made: Secrets, redis_command: tuple[str, ...]) -> tuple[ProcessSpec, ...]:
    """In starting order; engines first. Services that are idle most of the time share one process to save memory."""
    ports, python = layout.ports, sys.executable
    environments = layout.process_environments(made)
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

    def service(name: str, roles: tuple[str, ...], command: tuple[str, ...], *checked: int) -> ProcessSpec:
        ready = tuple(HttpReady(port) for port in checked)
        alive = tuple(HttpReady(port, "/livez") for port in checked)
        return ProcessSpec(name, roles, command, ready, alive, environments[name])

    # Redis answers with an error until its log is loaded, so a connection alone proves nothing.
    redis = RedisReady(ports.redis, made.redis_password)
    specs = [
        ProcessSpec("redis", ("redis",), redis_command, (redis,), (redis,), environments["redis"]),
        service("clickhouse", ("clickhouse",), (python, *front), ports.clickhouse),
        service("receiver", ("receiver",), (python, "-m", "services.ingestion", "receiver"), ports.otlp_http),
        service("writer", ("writer",), (python, "-m", "services.ingestion", "writer"), ports.writer),
        service(
            "platform",
            ("api_gateway", "ui", "analytics"),
            (python, "-m", "embedded.group", "ui.api", "analytics.api", "api_gateway.api"),
            ports.analytics,
            ports.ui,
            ports.gateway_admin,
            ports.gateway,
        ),
    ]
    if layout.demo:
        specs.append(ProcessSpec("demo", ("demo",), (python, "-m", "demo"), environment=environments["demo"]))
    return tuple(specs)
