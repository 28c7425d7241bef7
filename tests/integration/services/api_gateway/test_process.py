"""The gateway as it is run: `python -m services.api_gateway api`, on each control store, with Redis."""

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
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from libs.common.auth.api_keys import generate_api_key
from libs.common.auth.identity import IDENTITY_HEADER, Identity, sign_identity, sign_service
from libs.common.auth.key_feed import open_key_feed
from libs.common.clock import SystemClock
from libs.common.control_store import ControlStore, open_control_store
from libs.common.errors import ControlStoreUnavailable
from libs.common.redis_client import open_redis
from libs.common.settings import ControlSettings, KeyFeedSettings, RedisSettings
from libs.common.testing import free_port
from services.api_gateway.bootstrap import bootstrap
from services.api_gateway.settings import GatewaySettings
from tests.fixtures.gateway import (
    IDENTITY_SECRET,
    KEYS_SECRET,
    PASSWORD,
    SAME_ORIGIN,
    SESSION_SECRET,
    bearer,
    gateway_over,
    migrate_gateway,
    session_cookie,
)

ROOT = Path(__file__).parents[4]
EMAIL = "admin@airis.example"
API_KEY = generate_api_key(tenant="default", name="first", scopes=["read"])[1]
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
async def store(control_settings: ControlSettings) -> AsyncIterator[ControlStore]:
    await migrate_gateway(control_settings)
    async with open_control_store(control_settings, "api_gateway") as opened:
        await bootstrap(
            opened, SystemClock(), tenant="default", admin_email=EMAIL, admin_password=PASSWORD, api_key=API_KEY
        )
        yield opened


@pytest.fixture
def environment(
    store: ControlStore, control_settings: ControlSettings, redis_settings: RedisSettings
) -> dict[str, str]:
    return {
        "AIRIS_CONTROL_URL": control_settings.url.get_secret_value(),
        "AIRIS_KEYS_SECRET": KEYS_SECRET,
        "AIRIS_REDIS_URL": redis_settings.url,
        "AIRIS_IDENTITY_SECRET": IDENTITY_SECRET,
        "AIRIS_SESSION_SECRET": SESSION_SECRET,
        **{f"AIRIS_GATEWAY_{name}_URL": f"http://127.0.0.1:{free_port()}" for name in ("ANALYTICS", "UI", "RECEIVER")},
    }


@contextmanager
def process(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """A gateway on ports of its own; its public address, the one for operators, and the process."""
    port, admin, log = free_port(), free_port(), folder / "gateway.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "services.api_gateway", "api"], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment, "AIRIS_GATEWAY_PORT": str(port),
                 "AIRIS_GATEWAY_ADMIN_PORT": str(admin)},
        )  # fmt: skip
    url, admin_url = (f"http://127.0.0.1:{one}" for one in (port, admin))
    try:
        deadline = time.monotonic() + 30
        while not (_lives(url) and _lives(admin_url)):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield url, admin_url, running
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
    with process(environment, tmp_path) as (url, admin, running):
        async with httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client:
            checks = (await client.get(f"{admin}/readyz")).json()["checks"]
            assert {name: check["ok"] for name, check in checks.items()} == {
                "control_store": True, "redis": True, "analytics": False, "ui": False, "receiver": False,
            }  # fmt: skip
            assert (await client.get("/readyz")).json() == {"status": "ready"}
            assert (await client.get("/metrics")).status_code == 404
            assert (await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 204
            assert (await client.get("/api/v1/auth/me")).json()["email"] == EMAIL
            made = (await client.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["read"]})).json()
            document = (await client.get("/api/openapi.json", headers=bearer(made["key"]))).json()
            assert "does not answer: analytics." in document["info"]["description"]
            answer = await client.get("/api/v1/services", headers=bearer(API_KEY))
            assert answer.json()["type"] == "urn:airis:error:upstream-unavailable"
            assert answer.headers["ratelimit-policy"] == '"api";q=300;w=3'
            metrics = (await client.get(f"{admin}/metrics")).text
            assert 'airis_gateway_sign_ins_total{outcome="ok"} 1.0' in metrics
            assert 'airis_control_store_duration_seconds_count{outcome="ok",transaction="user"}' in metrics
            assert "airis_api_keys_known 2.0" in metrics
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    log = (tmp_path / "gateway.log").read_text()
    for secret in (PASSWORD, made["key"], API_KEY, SESSION_SECRET, IDENTITY_SECRET):
        assert secret not in log
    assert "Traceback" not in log


async def test_without_stores_it_starts_and_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    nobody = {"AIRIS_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with process(environment | nobody, tmp_path) as (url, admin, _):
        async with httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client:
            checks = (await client.get(f"{admin}/readyz")).json()["checks"]
            assert (checks["control_store"]["ok"], checks["redis"]["ok"]) == (True, False)
            assert (await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 204
            assert (await client.get("/api/v1/auth/me")).status_code == 200
            metrics = (await client.get(f"{admin}/metrics")).text
            assert 'rate_limit_decisions_total{decision="allowed_alone",limit="sign-in"} 1.0' in metrics
    nowhere = {"AIRIS_CONTROL_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/airis"}
    with process(environment | nowhere, tmp_path) as (url, _, _):
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            answer = await client.get("/api/v1/services", headers=bearer(API_KEY))
            assert answer.json()["type"] == "urn:airis:error:control-store-unavailable"
            assert int(answer.headers["retry-after"]) >= 1


async def test_a_receivers_keys_follow_the_gateway_and_outlive_it(environment: dict[str, str], tmp_path: Path) -> None:
    """A key made at the gateway works at once, a revoked one is gone within seconds, and both hold while it is away."""
    clock, snapshot = SystemClock(), str(tmp_path / "keys.json")
    with process(environment, tmp_path) as (url, _, running):
        feed = KeyFeedSettings(secret=KEYS_SECRET, url=url, snapshot=snapshot)
        async with (
            httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client,
            open_key_feed(feed, "ingestion", clock, registry=CollectorRegistry()) as ring,
        ):
            found = await ring.lookup(API_KEY)
            assert found is not None
            await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)
            made = (await client.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["ingest"]})).json()
            assert (await ring.lookup(made["key"])) is not None
            assert (await client.delete(f"/api/v1/api-keys/{made['key_id']}")).status_code == 204
            async with asyncio.timeout(5):
                while await ring.lookup(made["key"]) is not None:
                    await asyncio.sleep(0.05)
            await ring.report_uses()
            (listed,) = (await client.get("/api/v1/api-keys")).json()["api_keys"]
            assert int(listed["last_used_unix_nano"]) > time.time_ns() - 60 * 10**9
            running.send_signal(signal.SIGTERM)
            running.wait(20)
            assert await ring.lookup(API_KEY) == found
            with pytest.raises(ControlStoreUnavailable):
                await ring.lookup(generate_api_key(tenant="x", name="x", scopes=["read"])[1])
    async with open_key_feed(feed, "ingestion", clock, registry=CollectorRegistry()) as ring:
        assert await ring.lookup(API_KEY) == found


async def test_the_feed_is_for_our_services_alone(environment: dict[str, str], tmp_path: Path) -> None:
    clock, secret = SystemClock(), SecretStr(KEYS_SECRET)
    path = "/internal/v1/api-keys"
    with process(environment, tmp_path) as (url, _, _):
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            person = sign_identity(Identity("user:x", "default"), secret, clock, audience="api_gateway")
            for token in (
                "", "x", person, sign_service("ingestion", secret, clock, audience="analytics"),
                sign_service("ingestion", SecretStr(IDENTITY_SECRET), clock, audience="api_gateway"),
            ):  # fmt: skip
                for headers in ({IDENTITY_HEADER: token}, bearer(API_KEY) | {IDENTITY_HEADER: token}):
                    assert (await client.get(path, headers=headers)).status_code == 401
                    posted = await client.post(f"{path}/uses", headers=headers, json={"uses": {}})
                    assert posted.status_code == 401
            token = {IDENTITY_HEADER: sign_service("ingestion", secret, clock, audience="api_gateway")}
            answer = (await client.get(path, headers=token)).json()
            assert (answer["complete"], [key["name"] for key in answer["keys"]]) == (True, ["first key"])
            assert API_KEY not in str(answer)
            known = {"epoch": answer["epoch"], "version": answer["version"]}
            assert (await client.get(path, headers=token, params=known)).json()["keys"] == []


async def test_a_body_that_never_ends_is_ended(environment: dict[str, str], tmp_path: Path) -> None:
    """Unfinished sign-ins, with a length and in chunks: 408 and a closed connection; the next caller is served."""
    heads = (
        b"POST /api/v1/auth/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + rest
        for rest in (b'Content-Length: 100\r\n\r\n{"email":', b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"email":\r\n')
    )
    with process(environment | {"AIRIS_HTTP_BODY_IDLE_SECONDS": "1"}, tmp_path) as (url, _, _):
        host, port = url.removeprefix("http://").split(":")
        for head in heads:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(head)
            async with asyncio.timeout(20):
                answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"urn:airis:error:request-timeout" in answer
            assert b"connection: close" in answer.lower()
            writer.close()
        async with httpx.AsyncClient(base_url=url, headers=SAME_ORIGIN, timeout=10) as client:
            assert (await client.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 204


def test_without_its_secrets_it_says_which(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.api_gateway"], cwd=ROOT, capture_output=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert b"AIRIS_IDENTITY_SECRET" in ended.stderr
    assert b"Traceback" not in ended.stderr


async def test_two_gateways_are_one_to_their_callers(store: ControlStore, redis_settings: RedisSettings) -> None:
    """Sessions, their end, and limits are shared; nothing is kept by the gateway that a request happened to meet."""
    settings = GatewaySettings(rate_limit_per_second=0.1, rate_limit_burst=20)
    async with (
        open_redis(redis_settings) as redis,
        gateway_over(store=store, redis=redis, clock=SystemClock(), gateway=settings) as one,
        gateway_over(store=store, redis=redis, clock=SystemClock(), gateway=settings) as other,
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
