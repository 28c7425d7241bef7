"""The gateway as it is run: `python -m services.api_gateway api`, with ClickHouse and Redis."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from libs.common.auth.api_keys import generate_api_key
from libs.common.clickhouse import ClickHouse
from libs.common.clock import SystemClock
from libs.common.redis_client import open_redis
from libs.common.settings import ClickHouseSettings, RedisSettings
from libs.common.testing import free_port
from services.api_gateway.bootstrap import bootstrap
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import (
    IDENTITY_SECRET,
    PASSWORD,
    SAME_ORIGIN,
    SESSION_SECRET,
    bearer,
    gateway_over,
    open_control_plane,
    session_cookie,
)

ROOT = Path(__file__).parents[4]
EMAIL = "admin@airis.example"
API_KEY = generate_api_key(tenant="default", name="first", scopes=["read"])[1]
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
async def store(clickhouse_settings: ClickHouseSettings) -> AsyncIterator[ClickHouse]:
    async with open_control_plane(clickhouse_settings) as client:
        await bootstrap(
            client, SystemClock(), tenant="default", admin_email=EMAIL, admin_password=PASSWORD, api_key=API_KEY
        )
        yield client


@pytest.fixture
def environment(
    store: ClickHouse, clickhouse_settings: ClickHouseSettings, redis_settings: RedisSettings
) -> dict[str, str]:
    return {
        "AIRIS_CLICKHOUSE_URL": clickhouse_settings.url,
        "AIRIS_CLICKHOUSE_DATABASE": clickhouse_settings.database,
        "AIRIS_REDIS_URL": redis_settings.url,
        "AIRIS_IDENTITY_SECRET": IDENTITY_SECRET,
        "AIRIS_SESSION_SECRET": SESSION_SECRET,
        **{f"AIRIS_GATEWAY_{name}_URL": f"http://127.0.0.1:{free_port()}" for name in ("ANALYTICS", "UI", "RECEIVER")},
    }


@contextmanager
def process(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A gateway on a port of its own; its address and process."""
    port, log = free_port(), folder / "gateway.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "services.api_gateway", "api"], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment, "AIRIS_GATEWAY_PORT": str(port)},
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while not _lives(url):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield url, running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait(10)


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


async def test_it_starts_serves_and_stops_when_told(environment: dict[str, str], tmp_path: Path) -> None:
    with process(environment, tmp_path) as (url, running):
        async with httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client:
            checks = (await client.get("/readyz")).json()["checks"]
            assert {name: check["ok"] for name, check in checks.items()} == {
                "clickhouse": True, "redis": True, "analytics": False, "ui": False, "receiver": False,
            }  # fmt: skip
            assert (await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 204
            assert (await client.get("/api/v1/auth/me")).json()["email"] == EMAIL
            made = (await client.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["read"]})).json()
            document = (await client.get("/api/openapi.json", headers=bearer(made["key"]))).json()
            assert "does not answer: analytics." in document["info"]["description"]
            answer = await client.get("/api/v1/services", headers=bearer(API_KEY))
            assert answer.json()["type"] == "urn:airis:error:upstream-unavailable"
            assert answer.headers["ratelimit-policy"] == '"api";q=300;w=3'
            metrics = (await client.get("/metrics")).text
            assert 'airis_gateway_sign_ins_total{outcome="ok"} 1.0' in metrics
            assert (
                'airis_store_duration_seconds_count{operation="query",outcome="ok",statement="select_user"}' in metrics
            )
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    log = (tmp_path / "gateway.log").read_text()
    for secret in (PASSWORD, made["key"], API_KEY, SESSION_SECRET, IDENTITY_SECRET):
        assert secret not in log
    assert "Traceback" not in log


async def test_without_stores_it_starts_and_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    nobody = {"AIRIS_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with process(environment | nobody, tmp_path) as (url, _):
        async with httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client:
            checks = (await client.get("/readyz")).json()["checks"]
            assert (checks["clickhouse"]["ok"], checks["redis"]["ok"]) == (True, False)
            assert (await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 204
            assert (await client.get("/api/v1/auth/me")).status_code == 200
            metrics = (await client.get("/metrics")).text
            assert 'rate_limit_decisions_total{decision="failed_open",limit="sign-in"} 1.0' in metrics
    nowhere = {"AIRIS_CLICKHOUSE_URL": f"http://127.0.0.1:{free_port()}"}
    with process(environment | nowhere, tmp_path) as (url, _):
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            answer = await client.get("/api/v1/services", headers=bearer(API_KEY))
            assert answer.json()["type"] == "urn:airis:error:store-unavailable"
            assert int(answer.headers["retry-after"]) >= 1


def test_without_its_secrets_it_says_which(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.api_gateway"], cwd=ROOT, capture_output=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert b"AIRIS_IDENTITY_SECRET" in ended.stderr
    assert b"Traceback" not in ended.stderr


async def test_two_gateways_are_one_to_their_callers(store: ClickHouse, redis_settings: RedisSettings) -> None:
    """Sessions, their end, and limits are shared; nothing is kept by the gateway that a request happened to meet."""
    settings = GatewaySettings(rate_limit_per_second=0.1, rate_limit_burst=20)
    async with (
        open_redis(redis_settings) as redis,
        gateway_over(clickhouse=store, redis=redis, clock=SystemClock(), gateway=settings) as one,
        gateway_over(clickhouse=store, redis=redis, clock=SystemClock(), gateway=settings) as other,
    ):
        assert (await one.sign_in(EMAIL)).status_code == 204
        cookie = session_cookie(one.browser)
        assert (await other.script.get("/api/v1/auth/me", headers=cookie)).status_code == 200
        assert (await other.script.post("/api/v1/auth/sign-out", headers=cookie | SAME_ORIGIN)).status_code == 204
        assert (await one.browser.get("/api/v1/auth/me")).status_code == 401
        answers = await asyncio.gather(
            *(
                gateway.script.get("/api/v1/services", headers=bearer(API_KEY))
                for gateway in (one, other)
                for _ in range(15)
            )
        )
        assert 20 <= sum(answer.status_code == 200 for answer in answers) < 30
