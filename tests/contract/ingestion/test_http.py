"""OTLP/HTTP on a real socket: what is answered to good requests and to every kind of bad one."""

import asyncio
import gzip
import math
import zlib
from typing import Any

import httpx
import orjson
import pytest
from backports import zstd
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.settings import BusSettings
from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from tests.contract.ingestion.conftest import Receiver, StartReceiver
from tests.contract.ingestion.otlp_requests import gauge, logs, traces

REQUESTS = {TRACE_SERVICE.path: traces(), LOGS_SERVICE.path: logs(), METRICS_SERVICE.path: gauge()}
CODE = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14}


def json_document(request: Message) -> Any:
    """OTLP/JSON, with the ids of `traces()` in hex."""
    body = orjson.dumps(json_format.MessageToDict(request))
    body = body.replace(b"dHR0dHR0dHR0dHR0dHR0dA==", b"74" * 16).replace(b"c3Nzc3Nzc3M=", b"73" * 8)
    return orjson.loads(body)


def kept_names(receiver: Receiver) -> list[str]:
    return [
        span.name
        for record in receiver.records()
        for resource in ExportTraceServiceRequest.FromString(record.value).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def assert_refused(response: httpx.Response, status: int, error_id: str) -> str:
    """The answer has the form the request asked for; its text."""
    assert response.status_code == status, response.content
    asked = response.request.headers.get("content-type", "").partition(";")[0]
    assert response.headers["x-request-id"]
    if asked == "application/x-protobuf":
        assert response.headers["content-type"] == asked
        refusal = Status.FromString(response.content)
        assert refusal.code == CODE[status]
        assert refusal.message
        return refusal.message
    document = response.json()
    assert response.headers["content-type"] == (asked if asked == "application/json" else "application/problem+json")
    assert document["code"] == CODE[status]
    assert document["type"] == f"urn:airis:error:{error_id}"
    assert (document["status"], document["message"]) == (status, document["detail"])
    assert document["request_id"] == response.headers["x-request-id"]
    return str(document["detail"])


@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
async def test_a_request_is_on_the_bus_as_sent_when_it_is_answered(receiver: Receiver, service: ExportService) -> None:
    body = REQUESTS[service.path].SerializeToString()
    response = await receiver.post(body, service, x_request_id="my-id")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "application/x-protobuf"
    assert response.headers["x-request-id"] == "my-id"
    (record,) = receiver.records(service)
    headers = dict(record.headers)
    assert record.value == body
    assert abs(int(headers.pop("received_at")) / 1e6 - record.timestamp_ms) < 10_000
    assert headers == {
        "tenant": b"acme",
        "records": b"1",
        "key_id": receiver.keys.key_id.encode(),
        "request_id": b"my-id",
    }


@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
async def test_json_is_answered_in_json_and_is_protobuf_on_the_bus(receiver: Receiver, service: ExportService) -> None:
    request = REQUESTS[service.path]
    body = orjson.dumps(json_document(request))
    response = await receiver.post(body, service, content_type="application/json; charset=utf-8")
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["content-type"] == "application/json"
    (record,) = receiver.records(service)
    assert service.request.FromString(record.value) == request


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstd.compress),
        ("identity", bytes),
        ("GZip", gzip.compress),
    ],
)
async def test_packed_bodies(receiver: Receiver, coding: str, pack: Any) -> None:
    body = traces().SerializeToString()
    assert (await receiver.post(pack(body), content_encoding=coding)).status_code == 200
    assert receiver.records()[0].value == body


async def test_an_empty_request_is_fine_and_sends_nothing(receiver: Receiver) -> None:
    for body in (b"", ExportTraceServiceRequest(resource_spans=[{}]).SerializeToString()):
        response = await receiver.post(body)
        assert (response.status_code, response.content) == (200, b"")
    assert receiver.records() == []


async def test_a_chunked_body_is_read_to_its_end(receiver: Receiver) -> None:
    body = traces(*({"name": "x" * 1000} for _ in range(500))).SerializeToString()

    async def pieces() -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    response = await receiver.http.post("/v1/traces", content=pieces(), headers=receiver.headers())
    assert response.status_code == 200
    assert receiver.records()[0].value == body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not protobuf at all", "The body is no ExportTraceServiceRequest"),
        (traces().SerializeToString()[:-3], "message ends inside a field"),
        (traces({"name": "????"}).SerializeToString().replace(b"????", b"\xff\xfe\xfd\xfc"), "spans[0].name (byte"),
        (b'{"resourceSpans":[]}', "send Content-Type: application/json"),
        (gzip.compress(b"x"), "send Content-Encoding: gzip"),
    ],
)
async def test_a_malformed_body_is_400_and_says_what_is_wrong(receiver: Receiver, body: bytes, message: str) -> None:
    assert message in assert_refused(await receiver.post(body), 400, "malformed-telemetry")
    assert receiver.records() == []


async def test_malformed_json_is_400_in_json(receiver: Receiver) -> None:
    for body in (b"{", b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}', b"\xff", b"[" * 100_000):
        assert_refused(await receiver.post(body, content_type="application/json"), 400, "malformed-telemetry")


@pytest.mark.parametrize("key", ["", "Bearer airis_aaaaaaaaaaaa_unknown", "Bearer", "Basic abc"])
@pytest.mark.parametrize("media_type", ["application/x-protobuf", "application/json"])
async def test_a_missing_or_unknown_key_is_401(receiver: Receiver, key: str, media_type: str) -> None:
    response = await receiver.post(traces().SerializeToString(), authorization=key, content_type=media_type)
    assert_refused(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_key_that_may_only_read_is_403(receiver: Receiver) -> None:
    response = await receiver.post(traces().SerializeToString(), authorization=f"Bearer {receiver.keys.read}")
    assert_refused(response, 403, "forbidden")


async def test_a_key_store_that_is_away_is_503_not_401(receiver: Receiver) -> None:
    receiver.keys.away = True
    response = await receiver.post(traces().SerializeToString())
    assert_refused(response, 503, "store-unavailable")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "", "application/grpc"])
async def test_other_media_types_are_415_problems(receiver: Receiver, media_type: str) -> None:
    response = await receiver.post(traces().SerializeToString(), content_type=media_type)
    assert response.headers["content-type"] == "application/problem+json"
    assert "application/x-protobuf" in assert_refused(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "lz4"])
async def test_other_codings_are_415(receiver: Receiver, coding: str) -> None:
    response = await receiver.post(traces().SerializeToString(), content_encoding=coding)
    assert "gzip, zstd, deflate, identity" in assert_refused(response, 415, "unsupported-media-type")
    assert response.headers["accept-encoding"] == "gzip, zstd, deflate, identity"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_other_methods_are_405(receiver: Receiver, method: str) -> None:
    response = await receiver.http.request(method, "/v1/traces")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["/", "/v1/profiles", "/v1/metrics/otlp", "/V1/traces"])
async def test_other_paths_are_404_and_say_where_otlp_goes(receiver: Receiver, path: str) -> None:
    response = await receiver.http.post(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert "/v1/traces, /v1/logs, /v1/metrics" in response.json()["detail"]
    assert await receiver.metric("airis_http_errors_total", error="not-found") == 1


@pytest.mark.parametrize("path", ["//v1/traces", "/v1/traces/", "/v1//traces//"])
async def test_slashes_that_joining_urls_added_or_doubled_do_not_matter(receiver: Receiver, path: str) -> None:
    body = traces().SerializeToString()
    response = await receiver.http.post(receiver.url + path, content=body, headers=receiver.headers())
    assert response.status_code == 200
    assert receiver.records()[0].value == body


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
async def test_a_bomb_is_413(start_receiver: StartReceiver, coding: str) -> None:
    pack: dict[str, Any] = {"gzip": gzip.compress, "zstd": zstd.compress, "deflate": zlib.compress}
    async with start_receiver(max_unpacked_bytes=8 * 1024**2) as receiver:
        bomb = pack[coding](bytes(256 * 1024**2))
        response = await receiver.post(bomb, content_encoding=coding)
        assert "unpacks to more than 8388608 bytes" in assert_refused(response, 413, "payload-too-large")
        assert await receiver.metric("airis_receiver_in_flight_bytes") == 0


@pytest.mark.parametrize("chunked", [False, True])
async def test_100_mb_are_413_before_they_are_read(receiver: Receiver, chunked: bool) -> None:
    sent = 0
    chunk = bytes(1024**2)

    async def body() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += len(chunk)
            yield chunk
            await asyncio.sleep(0)

    headers = receiver.headers() | ({} if chunked else {"content-length": str(100 * len(chunk))})
    response = await receiver.http.post("/v1/traces", content=body(), headers=headers)
    assert "larger than 33554432 bytes" in assert_refused(response, 413, "payload-too-large")
    assert response.headers["connection"] == "close"
    assert (await receiver.post(traces().SerializeToString())).status_code == 200


async def test_a_refusal_is_written_before_the_body_is_sent(receiver: Receiver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
    head = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 99999999\r\n"
    )
    writer.write(head + f"Authorization: Bearer {receiver.keys.ingest}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()
    await writer.wait_closed()


async def test_a_small_refused_body_leaves_the_connection_open(receiver: Receiver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
    request = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
    async with asyncio.timeout(10):
        for _ in range(2):
            writer.write(request)
            await asyncio.sleep(0.05)  # the answer does not wait for the body
            writer.write(bytes(100_000))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 415")
            length = next(int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
            await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_does_not_come_is_408(start_receiver: StartReceiver) -> None:
    async with start_receiver(body_timeout_seconds=0.2) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
        head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
        writer.write(head + f"Authorization: Bearer {receiver.keys.ingest}\r\n\r\n{{".encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()
        assert await receiver.metric("airis_receiver_in_flight_bytes") == 0


async def test_a_sender_that_leaves_is_no_error(receiver: Receiver) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 50\r\n"
    writer.write(head + f"Authorization: Bearer {receiver.keys.ingest}\r\n\r\nabc".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    for _ in range(100):
        if await receiver.metric("airis_receiver_requests_total", outcome="client-closed-request"):
            break
        await asyncio.sleep(0.02)
    assert await receiver.metric("airis_receiver_requests_total", outcome="client-closed-request") == 1
    assert await receiver.metric("airis_receiver_in_flight_bytes") == 0


async def test_bad_spans_are_a_partial_success(receiver: Receiver) -> None:
    request = traces({"name": "good"}, {"name": "bad", "trace_id": b"8 bytes!"})
    response = await receiver.post(request.SerializeToString())
    assert response.status_code == 200
    partial = TRACE_SERVICE.response.FromString(response.content).partial_success  # type: ignore[attr-defined]
    assert partial.rejected_spans == 1
    assert "trace_id must be 16 bytes" in partial.error_message
    (record,) = receiver.records()
    del request.resource_spans[0].scope_spans[0].spans[1]
    assert ExportTraceServiceRequest.FromString(record.value) == request
    assert dict(record.headers)["records"] == b"1"
    assert (
        await receiver.metric("airis_receiver_rejected_records_total", reason="invalid_trace_id", signal="traces") == 1
    )


async def test_a_span_that_cannot_be_read_is_a_partial_success(receiver: Receiver) -> None:
    body = traces({"name": "good"}, {"name": "????"}).SerializeToString().replace(b"????", b"\xff\xfe\xfd\xfc")
    partial = TRACE_SERVICE.response.FromString((await receiver.post(body)).content).partial_success  # type: ignore[attr-defined]
    assert partial.rejected_spans == 1
    assert (
        "cannot be read; the first one: resource_spans[0].scope_spans[0].spans[1].name (byte" in partial.error_message
    )
    assert kept_names(receiver) == ["good"]
    assert await receiver.metric("airis_receiver_rejected_records_total", reason="unreadable", signal="traces") == 1


async def test_a_wrong_value_in_json_is_a_partial_success(receiver: Receiver) -> None:
    document = json_document(traces({"name": "good"}))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append({"traceId": "zz"})
    response = await receiver.post(orjson.dumps(document), content_type="application/json")
    partial = response.json()["partialSuccess"]
    assert (response.status_code, partial["rejectedSpans"]) == (200, "1")
    assert "resourceSpans[0].scopeSpans[0].spans[1].traceId must be a string of hex digits" in partial["errorMessage"]
    assert kept_names(receiver) == ["good"]


async def test_a_partial_success_in_json(receiver: Receiver) -> None:
    body = (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708","spanId":"0102030405060708"}]}]}]}'
    )
    response = await receiver.post(body, content_type="application/json")
    partial = response.json()["partialSuccess"]
    assert (response.status_code, partial["rejectedSpans"]) == (200, "1")
    assert "left-pad 64-bit ids with zeros" in partial["errorMessage"]
    assert receiver.records() == []


@pytest.mark.parametrize("seconds", [1, 4_102_444_800])
@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
async def test_times_of_1970_and_2100_are_kept_with_a_warning(
    receiver: Receiver, service: ExportService, seconds: int
) -> None:
    odd = seconds * 10**9
    request: dict[str, Any] = {
        TRACE_SERVICE.path: traces({"start_time_unix_nano": odd, "end_time_unix_nano": odd + 1}),
        LOGS_SERVICE.path: logs({"time_unix_nano": odd}),
        METRICS_SERVICE.path: gauge({"time_unix_nano": odd, "as_int": 1}),
    }
    body = request[service.path].SerializeToString()
    response = await receiver.post(body, service)
    partial = service.response.FromString(response.content).partial_success  # type: ignore[attr-defined]
    assert (response.status_code, getattr(partial, service.rejected_field)) == (200, 0)
    assert "Check the sender's clock" in partial.error_message
    assert receiver.records(service)[0].value == body
    assert await receiver.metric("airis_receiver_odd_time_records_total", signal=service.signal.name) == 1


async def test_nan_metrics_pass(receiver: Receiver) -> None:
    body = gauge({"as_double": math.nan}, {"as_double": math.inf}).SerializeToString()
    response = await receiver.post(body, METRICS_SERVICE)
    assert (response.status_code, response.content) == (200, b"")
    assert receiver.records(METRICS_SERVICE)[0].value == body


async def test_a_span_of_100_000_attributes_is_rejected_alone(receiver: Receiver) -> None:
    monster = {"name": "monster", "attributes": [{"key": f"k{n}", "value": {"int_value": n}} for n in range(100_000)]}
    response = await receiver.post(traces({"name": "good"}, monster).SerializeToString())
    partial = TRACE_SERVICE.response.FromString(response.content).partial_success  # type: ignore[attr-defined]
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert "more than 10000 attributes" in partial.error_message
    assert len(receiver.records()[0].value) < 1000


async def test_a_request_larger_than_a_message_is_cut(start_receiver: StartReceiver) -> None:
    async with start_receiver(max_message_bytes=64 * 1024) as receiver:
        body = traces(*({"name": f"span {n} " + "x" * 100} for n in range(3000))).SerializeToString()
        assert (await receiver.post(body)).status_code == 200
        records = receiver.records()
        assert len(records) > 5
        assert max(len(record.value) for record in records) <= 64 * 1024
        names = sorted(
            span.name
            for record in records
            for resource in ExportTraceServiceRequest.FromString(record.value).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        assert names == sorted(f"span {n} " + "x" * 100 for n in range(3000))
        assert sum(int(dict(record.headers)["records"]) for record in records) == 3000


@pytest.mark.parametrize("media_type", ["application/x-protobuf", "application/json"])
async def test_a_bus_that_is_away_is_503_and_nothing_is_confirmed(receiver: Receiver, media_type: str) -> None:
    receiver.bus.away = True
    body = traces().SerializeToString() if media_type.endswith("protobuf") else SPAN_JSON
    response = await receiver.post(body, content_type=media_type)
    assert_refused(response, 503, "bus-unavailable")
    assert int(response.headers["retry-after"]) >= 1
    if media_type.endswith("protobuf"):
        retry = RetryInfo()
        assert any(detail.Unpack(retry) for detail in Status.FromString(response.content).details)
        assert retry.retry_delay.ToTimedelta().total_seconds() >= 1
    receiver.bus.away = False
    assert receiver.records() == []
    assert (await receiver.post(body, content_type=media_type)).status_code == 200
    assert len(receiver.records()) == 1


SPAN_JSON = orjson.dumps(
    {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "01" * 16, "spanId": "02" * 8, "name": "a"}]}]}]}
)


async def test_a_record_the_bus_does_not_take_is_413(start_receiver: StartReceiver) -> None:
    async with start_receiver(bus_settings=BusSettings(max_record_bytes=1024)) as receiver:
        response = await receiver.post(traces({"name": "x" * 2000}).SerializeToString())
        assert_refused(response, 413, "record-too-large")


async def test_a_tenant_that_sends_too_fast_is_429(start_receiver: StartReceiver) -> None:
    async with start_receiver(tenant_bytes_per_second=100, tenant_burst_seconds=1) as receiver:
        body = traces({"name": "x" * 500}).SerializeToString()
        assert (await receiver.post(body)).status_code == 200
        response = await receiver.post(body)
        assert_refused(response, 429, "rate-limited")
        assert int(response.headers["retry-after"]) in range(3, 8)


async def test_a_full_receiver_is_503(start_receiver: StartReceiver) -> None:
    async with start_receiver(
        max_in_flight_bytes=1024**2, max_body_bytes=512 * 1024, max_unpacked_bytes=512 * 1024
    ) as receiver:
        body = bytes(500 * 1024)
        writers = []
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n"
        for _ in range(2):
            _, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
            writer.write((head + f"Authorization: Bearer {receiver.keys.ingest}\r\n\r\n").encode() + body[:1000])
            writers.append(writer)
        for _ in range(100):
            if await receiver.metric("airis_receiver_in_flight_bytes") == 2 * len(body):
                break
            await asyncio.sleep(0.02)
        response = await receiver.post(traces({"name": "x" * 100_000}).SerializeToString())
        assert_refused(response, 503, "receiver-overloaded")
        assert response.headers["retry-after"] == "1"
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_web_page_may_send(receiver: Receiver) -> None:
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type,content-encoding,traceparent,b3,x-b3-traceid",
    }
    preflight = await receiver.http.options("/v1/traces", headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    allowed = preflight.headers["access-control-allow-headers"].split(", ")
    assert allowed == ["authorization", "content-type", "content-encoding", "traceparent", "b3", "x-b3-traceid"]
    assert "access-control-allow-credentials" not in preflight.headers
    response = await receiver.post(traces().SerializeToString(), origin="https://shop.example")
    assert response.headers["access-control-allow-origin"] == "*"
    refused = await receiver.post(b"", origin="https://shop.example", authorization="")
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


async def test_only_configured_origins_are_allowed(start_receiver: StartReceiver) -> None:
    async with start_receiver(cors_origins="https://shop.example, https://admin.example") as receiver:
        for origin, allowed in (("https://admin.example", "https://admin.example"), ("https://evil.example", None)):
            response = await receiver.http.options("/v1/logs", headers={"origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed
            assert "origin" in response.headers["vary"].split(", ")


async def test_origins_and_headers_may_be_patterns(start_receiver: StartReceiver) -> None:
    async with start_receiver(cors_origins="https://*.example", cors_headers="authorization, x-*") as receiver:
        asked = {"access-control-request-headers": "authorization,b3,X-Tenant,bad name"}
        for origin, allowed in (("https://a.example", "https://a.example"), ("https://example", None), ("null", None)):
            response = await receiver.http.options("/v1/logs", headers={"origin": origin, **asked})
            assert response.headers.get("access-control-allow-origin") == allowed
            assert response.headers["access-control-allow-headers"] == "authorization, X-Tenant"


async def test_probes_and_metrics(receiver: Receiver) -> None:
    assert (await receiver.http.get("/livez")).status_code == 200
    assert (await receiver.http.get("/readyz")).status_code == 200
    await receiver.post(traces().SerializeToString())
    await receiver.post(b"garbage")
    assert await receiver.metric("airis_receiver_requests_total", protocol="http", signal="traces", outcome="ok") == 1
    assert await receiver.metric("airis_receiver_requests_total", outcome="malformed-telemetry") == 1
    assert await receiver.metric("airis_receiver_records_total", signal="traces") == 1
    assert await receiver.metric("airis_receiver_received_bytes_total", signal="traces") > 0


async def test_readiness_needs_the_bus_and_only_reports_the_key_store(start_receiver: StartReceiver) -> None:
    async with start_receiver() as receiver:
        receiver.keys.away = True
        ready = await receiver.http.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["api_keys"]["ok"]) == (200, False)
    async with start_receiver() as receiver:
        receiver.bus.away = True
        assert (await receiver.http.get("/readyz")).status_code == 503


async def test_a_stopping_receiver_finishes_what_it_has(start_receiver: StartReceiver) -> None:
    async with start_receiver() as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
        body = traces().SerializeToString()
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n"
        writer.write((head + f"Authorization: Bearer {receiver.keys.ingest}\r\n\r\n").encode() + body[:10])
        await asyncio.sleep(0.1)
        receiver.stop.set()
        await asyncio.sleep(0.1)
        writer.write(body[10:])
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert receiver.records()[0].value == body
        writer.close()
        await writer.wait_closed()
