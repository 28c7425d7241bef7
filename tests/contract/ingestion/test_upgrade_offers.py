"""Real clients that offer HTTP/2 with their first request, as they do by default: nothing they send is lost."""

import asyncio
import shutil

import pytest

from libs.common.testing.requirements import require
from services.ingestion.otlp import TRACE_SERVICE
from tests.contract.ingestion.conftest import Receiver
from tests.contract.ingestion.otlp_requests import traces
from tests.contract.ingestion.test_http import kept_names
from tests.fixtures.java import SPANS, send_from_java


@pytest.mark.parametrize("option", ["--http2", "--http1.1"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_curl(receiver: Receiver, option: str, framing: str) -> None:
    if shutil.which("curl") is None:
        require("curl", "no curl on the path")
    body = traces(*({"name": "x" * 1000} for _ in range(300))).SerializeToString()
    headers = receiver.headers(expect="")
    if framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    given = [part for name, value in headers.items() for part in ("-H", f"{name}:{' ' if value else ''}{value}")]
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", option, "--write-out", "%{http_code}"]
    process = await asyncio.create_subprocess_exec(
        *command, *given, "--data-binary", "@-", receiver.url + TRACE_SERVICE.path,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate(body)
    assert said == b"200"
    assert [record.value for record in receiver.records()] == [body]


async def test_java(receiver: Receiver) -> None:
    said = await send_from_java(receiver.url, receiver.keys.ingest)
    assert said == ["plain 200 {}", "plain 200 {}", "sdk true"]
    assert sorted(kept_names(receiver)) == sorted(SPANS)
