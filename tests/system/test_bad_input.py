"""Bad input to the whole product: each kind is answered as OTLP asks, and nobody else notices.

What the receiver alone answers is tested in tests/contract/ingestion. Here the same senders meet the real bus, writer and
store, directly and through the gateway, and what counts is who is left standing.
"""

import asyncio
import gzip
import math
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from services.ingestion.otlp import LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from tests.contract.ingestion.otlp_requests import gauge, logs, traces
from tests.fixtures.installation import Installation

PROTOBUF, JSON = "application/x-protobuf", "application/json"
GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(frozen=True)
class Case:
    """A bad request. `status` 200 means that some of it is kept; `says` is part of the answer's message."""

    name: str
    body: bytes
    status: int
    error: str = ""
    says: str = ""
    service: ExportService = TRACE_SERVICE
    headers: dict[str, str] = field(default_factory=dict)
    over: tuple[str, ...] = ("receiver", "gateway", "grpc")


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(bytes(1024**2)) for _ in range(1024)), packer.flush()])


def _deep(levels: int) -> bytes:
    value = b""
    for _ in range(levels):
        value = _field(5, _field(1, value))  # AnyValue.array_value.values
    attribute = _field(9, _field(1, b"deep") + _field(2, value))
    good, bad = (traces({"name": name}).resource_spans[0].scope_spans[0].spans[0] for name in ("good", "bad"))
    spans = _field(2, good.SerializeToString()) + _field(2, bad.SerializeToString() + attribute)
    return _field(1, _field(2, spans))


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def _invalid_utf8(*spans: dict[str, Any]) -> bytes:
    return traces(*spans, {"name": "????"}).SerializeToString().replace(b"????", b"\xff\xfe\xfd\xfc")


def _repeated() -> bytes:
    """0.7 MB that were 10 GB in the store, where each record has its own copy of its resource."""
    request = logs(*[{}] * 20_000)
    dump = {"key": "dump", "value": {"string_value": os.urandom(250_000).hex()}}
    request.resource_logs[0].resource.attributes.add(**dump)
    return request.SerializeToString()


HTTP = ("receiver", "gateway")
CASES = [
    Case("truncated", traces().SerializeToString()[:-3], 400, "malformed-telemetry", "ends inside a field"),
    Case("garbage", os.urandom(2) + b"\xff garbage", 400, "malformed-telemetry", "The body is no"),
    Case("invalid UTF-8 alone", _invalid_utf8(), 400, "malformed-telemetry", "spans[0].name (byte"),
    Case("invalid UTF-8 beside", _invalid_utf8({"name": "good"}), 200, says="1 spans rejected (1: cannot be read"),
    Case("10,000 levels", _deep(10_000), 200, says="nested deeper than 100"),
    Case("8-byte ids", traces({}, {"trace_id": b"8 bytes!"}).SerializeToString(), 200, says="must be 16 bytes"),
    Case("zero ids", traces({}, {"span_id": bytes(8)}).SerializeToString(), 200, says="not all zero"),
    *(
        Case(f"time {time_}", logs({"time_unix_nano": time_}).SerializeToString(), 200, "", "clock", LOGS_SERVICE)
        for time_ in (1, 4_102_444_800 * 10**9, 2**64 - 1)
    ),
    Case("ends before it starts", traces({"end_time_unix_nano": 1}).SerializeToString(), 200, says="clock"),
    Case("NaN", gauge({"as_double": math.nan}).SerializeToString(), 200, service=METRICS_SERVICE),
    Case("no value", gauge({}, {"as_int": 1}).SerializeToString(), 200, "", "as_int or as_double", METRICS_SERVICE),
    Case(
        "100,000 attributes",
        traces({}, {"attributes": [{"key": f"k{n}", "value": {"int_value": n}} for n in range(100_000)]})
        .SerializeToString(),
        200,
        says="more than 10000 attributes",
    ),
    Case("resource of 500 KB", _repeated(), 200, "", "too large for so many", LOGS_SERVICE),
    # Valid protobuf that the store's reader refuses: the last member of a oneof counts.
    Case(
        "oneof twice",
        gauge({"as_int": 1}).SerializeToString() + _field(1, _field(2, _field(2, _field(1, b"twice") + 2 * _field(5, b"")
        + _field(7, b"")))),
        200,
        service=METRICS_SERVICE,
    ),
    Case("not JSON", b'{"resourceSpans":[', 400, "malformed-telemetry", "not JSON", headers={"content-type": JSON}, over=HTTP),
    Case(
        "wrong value in JSON",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}',
        400, "malformed-telemetry", "spans[0].traceId must be", headers={"content-type": JSON}, over=HTTP,
    ),
    Case("other type", b"", 415, "unsupported-media-type", PROTOBUF, headers={"content-type": "text/plain"}, over=HTTP),
    Case("other coding", b"", 415, "unsupported-media-type", "gzip", headers={"content-encoding": "br"}, over=HTTP),
    Case("broken gzip", b"\x1f\x8b", 400, "malformed-telemetry", "gzip", headers={"content-encoding": "gzip"}, over=HTTP),
    Case("gzip undeclared", gzip.compress(b"x"), 400, "malformed-telemetry", "send Content-Encoding: gzip", over=HTTP),
    Case("gzip bomb", _bomb(), 413, "payload-too-large", "unpacks to more", headers={"content-encoding": "gzip"}, over=HTTP),
    Case("100 MB", bytes(100 * 1024**2), 413, "payload-too-large", "Send less", over=("gateway",)),
    Case("100 MB", bytes(100 * 1024**2), 413, "payload-too-large", "send fewer", over=("receiver",)),
    Case("100 MB", bytes(100 * 1024**2), 413, says="larger than max", over=("grpc",)),
    Case("no key", traces().SerializeToString(), 401, "unauthenticated", "Send an API key", headers={"authorization": ""}),
    Case(
        "unknown key", traces().SerializeToString(), 401, "unauthenticated", "unknown or was revoked",
        headers={"authorization": "Bearer airis_000000000000_nobody"},
    ),
]  # fmt: skip


def _cases() -> Iterator[Any]:
    for case in CASES:
        for over in case.over:
            yield pytest.param(case, over, id=f"{case.name} over {over}")


def _ids(status: Status) -> list[str]:
    found = []
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info):
            found.append(info.reason.lower().replace("_", "-"))
    return found


async def _send(installation: Installation, case: Case, over: str) -> tuple[int, str, str]:
    """(status, error id, message) of the answer."""
    headers = {**installation.authorization, "content-type": PROTOBUF}
    headers |= {"authorization": installation.authorization["Authorization"]} | case.headers
    headers.pop("Authorization")
    if over == "grpc":
        return await _call(installation, case, headers["authorization"])
    base = installation.layout.otlp_http_url if over == "receiver" else installation.layout.gateway_url
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        answer = await client.post(f"{base}{case.service.path}", content=case.body, headers=headers)
    media_type = answer.headers["content-type"]
    if media_type == PROTOBUF and answer.status_code == 200:
        partial: Any = case.service.response.FromString(answer.content)
        return 200, "", partial.partial_success.error_message
    if media_type == PROTOBUF:
        status = Status.FromString(answer.content)
        return answer.status_code, *_ids(status), status.message
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["type"].removeprefix("urn:airis:error:"), problem["detail"]


async def _call(installation: Installation, case: Case, authorization: str) -> tuple[int, str, str]:
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(installation.layout.otlp_grpc, options=options) as channel:
        try:
            metadata = (("authorization", authorization),) if authorization else ()
            answer = await channel.unary_unary(case.service.method)(case.body, metadata=metadata, timeout=60)
        except grpc.aio.AioRpcError as error:
            status = next(status for status, code in GRPC_CODES.items() if code == error.code())
            found = rpc_status.from_call(error)
            return status, (_ids(found) if found else [""])[0], error.details() or ""
    partial: Any = case.service.response.FromString(answer)
    return 200, "", partial.partial_success.error_message


async def _counted(installation: Installation) -> float:
    """Requests the receiver has answered, whatever the outcome, by its own count."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        page = (await client.get(f"{installation.layout.otlp_http_url}/metrics")).text
    lines = [line for line in page.splitlines() if line.startswith("airis_receiver_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("case", "over"), list(_cases()))
async def test_it_is_answered_as_otlp_asks_and_counted(installation: Installation, case: Case, over: str) -> None:
    before = await _counted(installation)
    status, error, message = await _send(installation, case, over)
    assert (status, error) == (case.status, case.error), message
    assert case.says in message
    # The gateway and gRPC's own library refuse what is too large before the receiver sees it.
    if not (case.name == "100 MB" and over != "receiver"):
        assert await _counted(installation) > before


@pytest.mark.timeout(180)
async def test_nobody_else_notices(installation: Installation) -> None:
    """All of it at once, with good requests in between: those arrive, and no process ends or grows without bound."""
    pids = {name: process["pid"] for name, process in installation.state().items()}
    service = f"neighbour-{time.time_ns()}"
    good = [("/v1/traces", traces), ("/v1/logs", logs), ("/v1/metrics", gauge)]

    async def send_good(number: int) -> None:
        path, make = good[number % 3]
        # The last digits tell requests apart; several may travel as one.
        request = make({"span_id": number.to_bytes(8, "big") if number else b"s" * 8} if make is traces else {})
        for resources in ("resource_spans", "resource_logs", "resource_metrics"):
            for resourced in getattr(request, resources, ()):
                del resourced.resource.attributes[:]
                resourced.resource.attributes.add(key="service.name").value.string_value = service
        if make is gauge:
            request = gauge({"as_int": number})
            request.resource_metrics[0].resource.attributes.add(key="service.name").value.string_value = service
        headers = {**installation.authorization, "content-type": PROTOBUF}
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            while True:
                answer = await client.post(
                    f"{installation.layout.otlp_http_url}{path}", content=request.SerializeToString(), headers=headers
                )
                if answer.status_code != 503:  # a full receiver says when to come back
                    break
                await asyncio.sleep(float(answer.headers["retry-after"]))
        assert (answer.status_code, answer.content) == (200, b"")

    bad = [_send(installation, case, over) for case in CASES for over in case.over if case.name != "100 MB"]
    await asyncio.gather(*bad, *(send_good(number) for number in range(60)), return_exceptions=False)

    async def arrived() -> tuple[int, int, int]:
        found = await installation.api("/traces", query=f"service={service}")
        records = await installation.api("/logs", query=f"service={service}", limit=100)
        metric = await installation.api("/metrics/requests", service=service)
        return (
            sum(trace["matched_spans"] for trace in found["traces"]),
            len(records["logs"]),
            sum(len(series["points"]) for series in metric["series"]),
        )

    async with asyncio.timeout(60):
        while await arrived() != (20, 20, 20):
            await asyncio.sleep(0.2)
    assert {name: process["pid"] for name, process in installation.state().items()} == pids
