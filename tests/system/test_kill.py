"""Kill each process of the pipeline under load: every acknowledged span is stored once, and everything comes back."""

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.embedded.layout import Layout, Secrets
from tests.fixtures.installation import Installation, running_installation

SPANS = 25
SENDERS = 6


@dataclass
class Ledger:
    """What the senders were told about each span id."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: int = 0


def request(service: str) -> tuple[bytes, list[str]]:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    attribute = resource.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", service
    spans = resource.scope_spans.add().spans
    ids = []
    for _ in range(SPANS):
        span = spans.add(
            trace_id=os.urandom(16), span_id=os.urandom(8), name="step", kind=2, start_time_unix_nano=time.time_ns()
        )
        span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
        ids.append(span.span_id.hex())
    return message.SerializeToString(), ids


async def send(layout: Layout, made: Secrets, ledger: Ledger, stop: asyncio.Event) -> None:
    """As an exporter does, but a request without an answer is not sent again, so that its outcome stays unknown."""
    headers = {"Authorization": f"Bearer {made.api_key}", "Content-Type": "application/x-protobuf"}
    async with httpx.AsyncClient(timeout=15, trust_env=False) as client:
        while not stop.is_set():
            body, ids = request("killed")
            try:
                answer = await client.post(f"{layout.otlp_http_url}/v1/traces", content=body, headers=headers)
            except httpx.ConnectError:
                await asyncio.sleep(0.05)  # nothing was sent
            except httpx.HTTPError:
                ledger.unknown.update(ids)
            else:
                if answer.status_code == httpx.codes.OK:
                    ledger.acknowledged.update(ids)
                else:
                    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
                    assert "retry-after" in answer.headers
                    # The bus may have taken it although it did not say so in time.
                    ledger.unknown.update(ids)
                    ledger.refused += 1
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_killing_any_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with running_installation(tmp_path / "airis", without=frozenset({"platform"})) as installation:
        await kill_each(installation)


async def kill_each(installation: Installation) -> None:
    ledger, stop = Ledger(), asyncio.Event()
    senders = [asyncio.create_task(send(installation.layout, installation.made, ledger, stop)) for _ in range(SENDERS)]
    await asyncio.sleep(2)
    for name in ("writer", "receiver", "clickhouse", "redis", "writer", "clickhouse"):
        before = installation.state()[name]["pid"]
        os.kill(before, signal.SIGKILL)
        await installation.ready(name, other_than=before)
        acknowledged = len(ledger.acknowledged)
        async with asyncio.timeout(30):  # it takes traffic again
            while len(ledger.acknowledged) <= acknowledged:
                await asyncio.sleep(0.05)
        await asyncio.sleep(2)
    stop.set()
    await asyncio.gather(*senders)
    assert len(ledger.acknowledged) > 1_000

    async with asyncio.timeout(60):
        while True:
            rows = await installation.sql("SELECT lower(hex(span_id)) AS id FROM spans")
            stored = Counter(str(row["id"]) for row in rows)
            if ledger.acknowledged <= stored.keys():
                break
            await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    rows = await installation.sql("SELECT lower(hex(span_id)) AS id FROM spans")
    stored = Counter(str(row["id"]) for row in rows)
    assert [span for span, count in stored.items() if count > 1] == []
    assert stored.keys() <= ledger.acknowledged | ledger.unknown
    rollup = await installation.sql("SELECT sum(request_count) AS requests FROM red_1m")
    assert rollup[0]["requests"] == len(rows)
