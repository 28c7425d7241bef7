"""`airis up` and what happens to what it starts: the promises of the README's first page."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from embedded.layout import ROOT, Layout, Secrets
from embedded.processes import left_behind
from tests.system.conftest import Product
from tests.system.send_and_find import find, send

pytestmark = pytest.mark.timeout(400)


def wait_until_ready(product: Product, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = product.state
        if state["phase"] == "ready" and all(process["ready"] for process in state["processes"].values()):
            return
        time.sleep(0.1)
    raise AssertionError(f"not ready again: {product.state}{product.logs()}")


def store_a_span(product: Product) -> tuple[str, str]:
    """Service and trace id of a span that search returns."""
    service = f"system-{uuid4().hex[:8]}"
    exporter = OTLPSpanExporter(
        f"{product.run['otlp_http']}/v1/traces", headers={"Authorization": f"Bearer {product.run['api_key']}"}
    )
    trace_id = send(exporter, service)
    find(product.run["gateway"], product.run["api_key"], service, trace_id)
    return service, trace_id


def test_run_file_says_where_everything_is(product: Product) -> None:
    file = product.data_dir / "run.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run = product.run
    assert set(run) == {"gateway", "otlp_http", "otlp_grpc", "admin_email", "admin_password", "api_key", "pids"}
    assert run["gateway"] == f"http://127.0.0.1:{product.port_base}"
    assert all(psutil.pid_exists(pid) for pid in run["pids"].values())
    for port in (
        product.ports.gateway,
        product.ports.ui,
        product.ports.analytics,
        product.ports.otlp_http,
        product.ports.writer,
    ):
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
    assert httpx.get(f"{run['gateway']}/readyz", timeout=10).json() == {"status": "ready"}
    assert httpx.get(f"{run['gateway']}/metrics", timeout=10).status_code == 404
    admin = f"http://127.0.0.1:{product.ports.gateway_admin}"
    assert httpx.get(f"{admin}/readyz", timeout=10).json()["checks"]["control_store"]["ok"]
    assert "airis_gateway_" in httpx.get(f"{admin}/metrics", timeout=10).text


def test_secrets_are_private_and_no_command_line_shows_them(product: Product) -> None:
    for file in (product.data_dir / "secrets.json", product.data_dir / "state.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = [product.run["admin_password"], product.run["api_key"]]
    for process in left_behind(product.data_dir):
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode("utf-8", "replace")
        assert not [secret for secret in secrets if secret in line]


def test_everything_listens_on_loopback_only(product: Product) -> None:
    pids = {process.pid for process in left_behind(product.data_dir)}
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.net_connections("tcp")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_a_second_up_shows_what_runs(product: Product) -> None:
    pids = product.run["pids"]
    began = time.monotonic()
    done = product.airis("up")
    assert done.returncode == 0
    assert "already running" in done.stdout
    assert product.run["api_key"] in done.stdout
    assert time.monotonic() - began < 10
    assert product.run["pids"] == pids


def test_status_logs_and_doctor(product: Product) -> None:
    status = product.airis("status")
    assert status.returncode == 0
    assert all(name in status.stdout for name in ("clickhouse", "redis", "receiver", "writer", "platform", "total"))
    logs = product.airis("logs", "writer", "--lines", "5")
    assert logs.returncode == 0
    assert logs.stdout.startswith("writer")
    deadline = time.monotonic() + 60
    # The writer says how far it is every few seconds only.
    while "✓  topics" not in (doctor := product.airis("doctor")).stdout and time.monotonic() < deadline:
        time.sleep(1)
    for name in ("state", "redis log", "clickhouse", "topics", "platform"):
        assert f"✓  {name}" in doctor.stdout, doctor.stdout


def test_the_administrator_can_sign_in(product: Product) -> None:
    with httpx.Client(base_url=product.run["gateway"], timeout=20) as client:
        credentials = {"email": product.run["admin_email"], "password": product.run["admin_password"]}
        assert client.post("/api/v1/auth/sign-in", json=credentials).status_code == 204
        assert client.get("/api/v1/auth/me").json()["email"] == product.run["admin_email"]


@pytest.mark.parametrize("role", ["clickhouse", "redis", "receiver", "writer", "platform"])
def test_a_killed_process_comes_back(product: Product, role: str) -> None:
    service, trace_id = store_a_span(product)
    before = product.state["processes"][role]
    os.kill(before["pid"], signal.SIGKILL)
    began = time.monotonic()
    while (now := product.state["processes"][role])["pid"] in {before["pid"], None}:
        assert time.monotonic() - began < 10, "not started again"
        time.sleep(0.02)
    # Each further death within 20 s waits longer, so that a broken program does not eat the machine.
    assert time.monotonic() - began < 2.0
    assert now["restarts"] == before["restarts"] + 1
    wait_until_ready(product)
    assert now["pid"] in product.run["pids"].values()
    find(product.run["gateway"], product.run["api_key"], service, trace_id)
    store_a_span(product)


def test_idle_memory(product: Product) -> None:
    time.sleep(8)  # the front gives memory back every five seconds
    processes = [
        product.state["supervisor"]["pid"],
        *(process["pid"] for process in product.state["processes"].values()),
    ]
    resident = {pid: psutil.Process(pid).memory_info().rss for pid in processes}
    assert sum(resident.values()) < 1.5e9, resident


def test_data_and_key_survive_a_restart_which_is_fast(product: Product) -> None:
    service, trace_id = store_a_span(product)
    run = product.run
    assert product.airis("down").returncode == 0
    assert left_behind(product.data_dir) == []
    assert product.airis("status").returncode == 1
    assert product.up() < 15
    assert {name: product.run[name] for name in ("api_key", "admin_password")} == {
        name: run[name] for name in ("api_key", "admin_password")
    }
    find(product.run["gateway"], product.run["api_key"], service, trace_id)


def test_a_killed_supervisor_blocks_nothing(product: Product) -> None:
    service, trace_id = store_a_span(product)
    os.kill(product.state["supervisor"]["pid"], signal.SIGKILL)
    product.up()
    find(product.run["gateway"], product.run["api_key"], service, trace_id)
    assert len(left_behind(product.data_dir)) == len(product.state["processes"])


def test_a_stopped_supervisor_leaves_nothing_even_when_it_was_killed(product: Product) -> None:
    os.kill(product.state["supervisor"]["pid"], signal.SIGKILL)
    assert product.airis("down").returncode == 0
    assert left_behind(product.data_dir) == []
    product.up()


def test_a_taken_port_is_named(tmp_path: Path, product: Product) -> None:
    other = Product(tmp_path / "data", product.port_base)
    done = other.airis("up", "--port-base", str(product.port_base), "--no-demo")
    assert done.returncode == 1
    assert f"port {product.port_base}" in done.stdout
    assert "(pid " in done.stdout
    assert "--port-base" in done.stdout
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", product.port_base)) == 0


def test_the_demo_shop_can_be_given_a_past(product: Product) -> None:
    done = product.airis("demo", "backfill", "--hours", "0.2", "--fault", "payment-errors@5m/2m")
    assert done.returncode == 0, done.stdout + done.stderr
    deadline = time.monotonic() + 30
    headers = {"Authorization": f"Bearer {product.run['api_key']}"}
    names: set[str] = set()
    while not {"storefront", "checkout"} <= names and time.monotonic() < deadline:
        answer = httpx.get(f"{product.run['gateway']}/api/v1/services", headers=headers, timeout=20).raise_for_status()
        names = {service["service"] for service in answer.json()["services"]}
        time.sleep(0.5)
    assert {"storefront", "checkout"} <= names


def test_the_demo_shop_fills_in_its_past_once_and_can_be_told_to_stop(product: Product) -> None:
    layout = Layout(product.data_dir, product.ports, demo=True)
    environment = {**os.environ, **layout.environment(Secrets.load_or_make(layout.secrets_file))}
    until_ns = time.time_ns()
    command = [sys.executable, "-m", "demo.filling", "--until", str(until_ns), "--hours", "24"]
    filling = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 150
        while "% of the past 24 h of the demo shop" not in product.airis("status").stdout:
            assert time.monotonic() < deadline
            assert filling.poll() is None, filling.communicate()[0].decode()
            time.sleep(0.5)
        headers = {"Authorization": f"Bearer {product.run['api_key']}"}
        newest = {"start": str(until_ns - 3600 * 10**9), "end": str(until_ns - 3400 * 10**9)}
        seen = 0
        while seen < 20:
            assert time.monotonic() < deadline
            answer = httpx.get(
                f"{product.run['gateway']}/api/v1/services", params=newest, headers=headers, timeout=20
            ).raise_for_status()
            seen = sum(one["request_count"] for one in answer.json()["services"] if one["service"] == "storefront")
            time.sleep(0.5)
        done = product.airis("demo", "backfill", "--cancel")
        assert done.returncode == 0, done.stdout
        output, _ = filling.communicate(timeout=90)
        assert filling.returncode == 0, output.decode()
    finally:
        filling.kill()
        filling.communicate()
    status = product.airis("status").stdout
    assert "demo-backfill" in status
    assert "cancelled" in status
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0
    assert "demo-backfill" not in again.stdout, "it ran again"
    assert product.airis("demo", "backfill", "--cancel").returncode == 1


def test_no_process_is_told_a_secret_it_does_not_use(product: Product) -> None:
    secrets = json.loads((product.data_dir / "secrets.json").read_text())
    uses = {
        "redis": set(),
        "clickhouse": {"store_password"},
        "receiver": {"redis_password"},
        "writer": {"store_writer", "redis_password"},
        "platform": {"identity", "session", "store_analytics", "redis_password"},
    }
    for name, expected in uses.items():
        told = Path(f"/proc/{product.state['processes'][name]['pid']}/environ").read_bytes().decode("utf-8", "replace")
        assert {secret for secret, value in secrets.items() if value in told} == expected, name


def test_data_of_the_release_before_is_kept(product: Product) -> None:
    """Its secrets file has one password for the store, its state no admin port."""
    service, trace_id = store_a_span(product)
    assert product.airis("down").returncode == 0
    kept = json.loads((product.data_dir / "secrets.json").read_text())
    for name in ("store_migrator", "store_analytics", "store_writer"):
        del kept[name]
    (product.data_dir / "secrets.json").write_text(json.dumps(kept))
    state = product.state
    del state["ports"]["gateway_admin"]
    (product.data_dir / "state.json").write_text(json.dumps(state))
    (product.data_dir / "data" / "clickhouse" / "users.xml").unlink()
    product.up()
    find(product.run["gateway"], product.run["api_key"], service, trace_id)
    store_a_span(product)
