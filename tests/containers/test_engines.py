"""The product's own roles on Kafka, ClickHouse and Redis in containers: what the SDK sends is found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from embedded.layout import Layout, Secrets
from tests.fixtures.containers import STORE_PASSWORD, KafkaContainer, RedisContainer
from tests.fixtures.engines import ROOT, running_process
from tests.fixtures.installation import free_ports
from tests.system.send_and_find import Api, send_and_find

pytestmark = pytest.mark.timeout(1200)
ROLES = ("ingestion.receiver", "ingestion.writer", "analytics.api", "api_gateway.api")


@dataclass
class Addresses:
    gateway: str
    otlp_http: str
    api_key: str


@pytest.fixture
def services(
    tmp_path: Path, kafka_container: KafkaContainer, redis_container: RedisContainer, clickhouse_container: str
) -> Iterator[Addresses]:
    """All roles in one process, set up as every deployment is."""
    layout, made = Layout(tmp_path, free_ports(), demo=False), Secrets.make()
    environment = {
        **os.environ,
        **layout.environment(made),
        "AIRIS_BUS_URL": kafka_container.url,
        "AIRIS_REDIS_URL": redis_container.url,
        "AIRIS_CLICKHOUSE_URL": clickhouse_container,
        "AIRIS_CLICKHOUSE_PASSWORD": STORE_PASSWORD,
    }
    setup = [sys.executable, "-m", "services.api_gateway.setup"]
    done = subprocess.run(setup, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ports = (layout.ports.gateway, layout.ports.otlp_http, layout.ports.writer, layout.ports.analytics)

    def is_up() -> bool:
        return all(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200 for port in ports)

    command = [sys.executable, "-m", "embedded.group", *ROLES]
    with running_process(command, tmp_path, is_up, environment):
        yield Addresses(layout.gateway_url, layout.otlp_http_url, made.api_key)


def test_every_signal_is_found(services: Addresses) -> None:
    headers = {"authorization": f"Bearer {services.api_key}"}
    found = send_and_find(
        Api(services.gateway, services.api_key),
        OTLPSpanExporter(f"{services.otlp_http}/v1/traces", headers=headers),
        OTLPLogExporter(f"{services.otlp_http}/v1/logs", headers=headers),
        OTLPMetricExporter(f"{services.otlp_http}/v1/metrics", headers=headers),
    )
    assert found.keys() == {"span", "log record", "metric point"}
