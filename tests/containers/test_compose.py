"""The compose stack as its users start it: hardened, and with every container killed under load nothing is lost or doubled."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from cli.compose_env import variables
from embedded.layout import Layout, Secrets
from tests.fixtures.containers import Compose, docker
from tests.fixtures.installation import Installation, free_ports
from tests.fixtures.ledger import sending

pytestmark = pytest.mark.timeout(1500)
SERVICES = ("kafka", "clickhouse", "redis", "postgres", "receiver", "writer", "analytics", "ui", "gateway")
UP_SECONDS = 1200
# The store is for the services alone; this test looks into it past all of them.
STORE_PUBLISHED = "services: {{clickhouse: {{ports: ['127.0.0.1:{port}:8123']}}}}\n"


@dataclass
class Stack(Installation):
    """A running stack and how to ask it."""

    compose: Compose

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows about a service's only container."""
        inspected: list[dict[str, Any]] = json.loads(docker("inspect", self.compose("ps", "-aq", service).strip()))
        return inspected[0]

    def kill_process(self, service: str) -> None:
        """SIGKILL its first process from outside, as a crash does; `docker kill` would count as the user's wish to stop it."""
        container = self.container(service)
        kill = f"kill -9 {container['State']['Pid']}"
        docker("run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "sh", "airis-local/redis", "-c", kill)

    def healthy_again(self, service: str, restarts: int) -> None:
        """Wait until the engine has started it again by itself and it is well."""
        deadline = time.monotonic() + 120
        while True:
            container = self.container(service)
            if container["RestartCount"] > restarts and container["State"]["Health"]["Status"] == "healthy":
                return
            assert time.monotonic() < deadline, self.compose("logs", "--tail", "40", service)
            time.sleep(0.5)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, build_environment: dict[str, str]) -> Iterator[Stack]:
    """One stack for the module, built and started in one command."""
    folder = tmp_path_factory.mktemp("compose")
    layout, made = Layout(folder, free_ports(), demo=False), Secrets.make()
    environment = {
        **build_environment,
        **variables(made),
        "AIRIS_GATEWAY_PORT": str(layout.ports.gateway),
        "AIRIS_OTLP_HTTP_PORT": str(layout.ports.otlp_http),
        "AIRIS_OTLP_GRPC_PORT": str(layout.ports.otlp_grpc),
    }
    published = folder / "published.yaml"
    published.write_text(STORE_PUBLISHED.format(port=layout.ports.clickhouse))
    compose = Compose(f"airis-test-{uuid4().hex[:8]}", environment, published)
    try:
        try:
            compose("up", "--build", "--quiet-pull", "--wait", seconds=UP_SECONDS)
        except AssertionError as error:
            pytest.fail(f"{error}\n{compose('ps', '-a')}\n{compose('logs', '--tail', '30')}", pytrace=False)
        yield Stack(layout, made, compose)
    finally:
        compose("down", "--volumes", "--timeout", "10")


def test_no_container_runs_as_root_or_can_write_to_its_image(stack: Stack) -> None:
    for service in SERVICES:
        container = stack.container(service)
        user = stack.compose("exec", "-T", service, "id", "-u").strip()
        assert user != "0", service
        assert container["HostConfig"]["ReadonlyRootfs"], service
        assert container["HostConfig"]["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"], service


def test_only_gateway_and_receiver_are_published_and_only_on_loopback(build_environment: dict[str, str]) -> None:
    # The file as it stands, without this module's way into the store.
    services = json.loads(Compose("airis-asked", build_environment)("--profile", "demo", "config", "--format", "json"))[
        "services"
    ]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"gateway", "receiver"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_images_and_command_lines_hold_no_secret(stack: Stack) -> None:
    secrets = set(variables(stack.made).values()) - {variables(stack.made)["AIRIS_ADMIN_EMAIL"]}
    for service in SERVICES:
        container = stack.container(service)
        said = docker("history", "--no-trunc", container["Image"]) + docker("image", "inspect", container["Image"])
        said += docker("top", container["Id"], "-eo", "pid,args")
        assert not [secret for secret in secrets if secret in said], service


async def test_killed_processes_come_back_and_nothing_is_lost_or_doubled(stack: Stack) -> None:
    async with sending(stack.layout.otlp_http_url, stack.made.api_key, senders=4) as ledger:
        await ledger.grows()
        for service in ("writer", "kafka", "clickhouse", "redis", "receiver"):
            restarts = stack.container(service)["RestartCount"]
            await asyncio.to_thread(stack.kill_process, service)
            await asyncio.to_thread(stack.healthy_again, service, restarts)
            await ledger.grows()  # it takes traffic again
            await asyncio.sleep(2)
    rows = await ledger.check(stack.stored_span_ids, seconds=120)
    rollup = await stack.sql("SELECT sum(request_count) AS requests FROM red_1m")
    assert rollup[0]["requests"] == rows


async def test_data_survives_down_and_up(stack: Stack) -> None:
    before = await stack.stored_span_ids()
    async with sending(stack.layout.otlp_http_url, stack.made.api_key, senders=1) as ledger:
        await ledger.grows()
    await asyncio.to_thread(stack.compose, "down", "--timeout", "30")
    await asyncio.to_thread(stack.compose, "up", "--wait", seconds=UP_SECONDS)
    ledger.acknowledged.update(before)
    await ledger.check(stack.stored_span_ids)
