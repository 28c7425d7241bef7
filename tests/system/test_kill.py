"""Kill each process of the pipeline under load: every acknowledged span is stored once, and everything comes back."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.fixtures.installation import Installation, running_installation
from tests.fixtures.ledger import sending

SENDERS = 6


@pytest.mark.timeout(240)
async def test_killing_any_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with running_installation(tmp_path / "airis", without=frozenset({"platform"})) as installation:
        await kill_each(installation)


async def kill_each(installation: Installation) -> None:
    async with sending(installation.layout.otlp_http_url, installation.made.api_key, senders=SENDERS) as ledger:
        await asyncio.sleep(2)
        for name in ("writer", "receiver", "clickhouse", "redis", "writer", "clickhouse"):
            before = installation.state()[name]["pid"]
            os.kill(before, signal.SIGKILL)
            await installation.ready(name, other_than=before)
            await ledger.grows()  # it takes traffic again
            await asyncio.sleep(2)
    assert len(ledger.acknowledged) > 1_000
    rows = await ledger.check(installation.stored_span_ids)
    rollup = await installation.sql("SELECT sum(request_count) AS requests FROM red_1m")
    assert rollup[0]["requests"] == rows
