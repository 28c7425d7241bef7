"""The parts under test, started as the product starts them: engines, roles, a Kafka broker, the collector to compare with.

The benchmark's own process stays on the second core, and so does everything it starts, except the part under test.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from benchmarks import machine
from cli.installation import occupied
from embedded.health import Check, first_problem
from embedded.layout import ROOT, Layout, Ports, Secrets, processes
from embedded.redis import redis_command
from libs.common.settings import BusSettings, ClickHouseSettings
from libs.common.testing import free_port
from tests.fixtures.kafka import KafkaCluster, kafka_jars

_READY_SECONDS = 120
# The client complains while the broker starts; who waits for it says when that took too long.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
# Answered only when the broker has it, as ours: same acks, same compression family, no queue in between.
_COLLECTOR = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}", max_recv_msg_size_mib: 16}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}
exporters:
  kafka:
    brokers: ["{broker}"]
    traces: {{topic: peer_spans, encoding: otlp_proto}}
    producer: {{required_acks: -1, compression: {compression}, max_message_bytes: 4000000}}
    sending_queue: {{enabled: false}}
    retry_on_failure: {{enabled: false}}
service:
  telemetry: {{logs: {{level: warn}}, metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [kafka]}}}}
"""


class Stack:
    """Processes of the embedded product, each started and stopped on its own. `folder` holds data and logs."""

    def __init__(self, folder: Path, kafka: KafkaCluster | None = None) -> None:
        self.layout = Layout(folder, Ports(*(free_port() for _ in range(8))), demo=False)
        self.secrets = Secrets.make()
        self.environment = self.layout.environment(self.secrets)
        if kafka is not None:
            self.environment |= {"AIRIS_BUS_URL": kafka.url, "AIRIS_BUS_PARTITIONS": "24"}
        folder.mkdir(parents=True, exist_ok=True)
        redis = redis_command(folder / "redis", self.layout.ports.redis, self.secrets.redis_password)
        self._specs = {spec.name: spec for spec in processes(self.layout, self.secrets, redis)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def bus(self) -> BusSettings:
        return BusSettings(url=self.environment["AIRIS_BUS_URL"])

    @property
    def store(self) -> ClickHouseSettings:
        return ClickHouseSettings(
            url=self.environment["AIRIS_CLICKHOUSE_URL"],
            password=SecretStr(self.environment["AIRIS_CLICKHOUSE_PASSWORD"]),
            insert_timeout_seconds=300,
            query_timeout_seconds=120,
        )

    @property
    def authorization(self) -> str:
        return f"Bearer {self.secrets.api_key}"

    def start(self, name: str, *, tested: bool = False, environment: Mapping[str, str] | None = None) -> int:
        """Start a process of the product and wait until it is ready. Returns its pid."""
        spec = self._specs[name]
        self._running[name] = launch(
            spec.command,
            self.layout.data_dir / f"{name}.log",
            {**self.environment, **spec.environment, **(environment or {})},
            tested=tested,
        )
        wait_ready(spec.ready, self._running[name], self.layout.data_dir / f"{name}.log")
        return self._running[name].pid

    def set_up(self) -> None:
        """Schema, topics, tenant and key."""
        command = (sys.executable, "-m", "services.api_gateway.setup")
        subprocess.run(command, cwd=ROOT, env={**os.environ, **self.environment}, check=True, stdout=subprocess.DEVNULL)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def stop(self, name: str) -> None:
        end(self._running.pop(name))

    def close(self) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)


@contextlib.contextmanager
def stack(folder: Path, *engines: str, kafka: KafkaCluster | None = None) -> Iterator[Stack]:
    """A stack with `engines` running and everything set up; stopped when left."""
    made = Stack(folder, kafka)
    try:
        for engine in engines:
            made.start(engine)
        made.set_up()
        yield made
    finally:
        made.close()


def launch(
    command: tuple[str, ...], log: Path, environment: Mapping[str, str], *, tested: bool
) -> subprocess.Popen[bytes]:
    """A child of this process with its output in `log`."""
    with log.open("ab") as output, machine.children_on(machine.TESTED if tested else machine.OTHERS):
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output)


def wait_ready(checks: tuple[Check, ...], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until all checks are content. Raises SystemExit with the end of the log."""
    deadline = time.monotonic() + _READY_SECONDS
    while problem := asyncio.run(first_problem(checks)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{log.stem} is not ready: {problem}\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, patience, SIGKILL."""
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kafka_is_at_hand() -> bool:
    """Whether a real broker can be started here."""
    return all(shutil.which(tool) for tool in ("java", "mvn"))


@contextlib.contextmanager
def kafka_broker(folder: Path) -> Iterator[KafkaCluster]:
    """One real broker with the collector's topic on it."""
    cluster = KafkaCluster(kafka_jars(), folder / f"kafka-{uuid4().hex[:8]}", 1)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


async def _make_topic(bootstrap: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic("peer_spans", partitions, 1, topic_configs={"max.message.bytes": "4194304"})]
        )
    finally:
        await admin.close()


class Collector:
    """The OpenTelemetry Collector, otlp -> kafka on the tested core, one thread for Go."""

    def __init__(self, binary: Path, folder: Path, kafka: KafkaCluster, compression: str) -> None:
        self.http, self.grpc = free_port(), free_port()
        asyncio.run(_make_topic(kafka.bootstrap, 24))
        configuration = folder / "collector.yaml"
        configuration.write_text(
            _COLLECTOR.format(http=self.http, grpc=self.grpc, broker=kafka.bootstrap, compression=compression)
        )
        log = folder / "collector.log"
        command = (str(binary), "--config", str(configuration))
        self._process = launch(command, log, {"GOMAXPROCS": "1"}, tested=True)
        wait_ready((self._listening,), self._process, log)

    async def _listening(self) -> str | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.http)
        except OSError as error:
            return str(error)
        writer.close()
        return None

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        end(self._process)


def version_of(binary: Path) -> str:
    """What a program says of itself to --version."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return said.strip().rpartition(" ")[2]


def airis(*arguments: str) -> None:
    """The `airis` command. Raises SystemExit with what it said."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"airis {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")


def free_port_base() -> int:
    """For `airis up`: a base below the ports that the system gives to outgoing connections, with all of its ports free."""
    return next(base for base in range(20_000, 32_000, 100) if not occupied(Ports.from_base(base)))


@contextlib.contextmanager
def product(data_dir: Path, *, demo: bool = False) -> Iterator[dict[str, Any]]:
    """The whole product as `airis up` starts it; yields its run.json."""
    airis("up", "--data-dir", str(data_dir), "--port-base", str(free_port_base()), "--demo" if demo else "--no-demo")
    try:
        yield json.loads((data_dir / "run.json").read_text())
    finally:
        airis("down", "--data-dir", str(data_dir))
