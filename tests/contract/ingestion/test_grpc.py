"""OTLP/gRPC on a real socket."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from tests.contract.ingestion.conftest import Receiver, StartReceiver
from tests.contract.ingestion.otlp_requests import gauge, logs, traces

REQUESTS: dict[str, Message] = {TRACE_SERVICE.path: traces(), LOGS_SERVICE.path: logs(), METRICS_SERVICE.path: gauge()}


async def refused(call: Any) -> Status:
    """The google.rpc.Status a call ends with; it agrees with the call's own code and message."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status: Status | None = rpc_status.from_call(caught.value)
    assert status is not None
    assert status.code == caught.value.code().value[0]
    assert dict(caught.value.trailing_metadata() or ())["x-request-id"]
    return status


def reason(status: Status) -> str:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason


def retry_after(status: Status) -> float | None:
    retry = RetryInfo()
    for detail in status.details:
        if detail.Unpack(retry):
            return retry.retry_delay.ToTimedelta().total_seconds()
    return None


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
async def test_a_request_is_on_the_bus_as_sent(
    receiver: Receiver, service: ExportService, compression: grpc.Compression
) -> None:
    request = REQUESTS[service.path]
    assert await receiver.call(request, service, compression=compression) == service.response()
    (record,) = receiver.records(service)
    assert record.value == request.SerializeToString()
    assert dict(record.headers)["tenant"] == b"acme"
    assert dict(record.headers)["records"] == b"1"


async def test_a_generated_stub_can_call(receiver: Receiver) -> None:
    metadata = (("authorization", f"Bearer {receiver.keys.ingest}"),)
    response = await TraceServiceStub(receiver.channel).Export(traces(), metadata=metadata, timeout=10)
    assert response == TRACE_SERVICE.response()


async def test_an_empty_request_is_fine_and_sends_nothing(receiver: Receiver) -> None:
    assert await receiver.call(b"") == TRACE_SERVICE.response()
    assert receiver.records() == []


async def test_bad_spans_are_a_partial_success(receiver: Receiver) -> None:
    response = await receiver.call(traces({"name": "good"}, {"span_id": b""}))
    assert response.partial_success.rejected_spans == 1
    assert "span_id must be 8 bytes" in response.partial_success.error_message
    assert dict(receiver.records()[0].headers)["records"] == b"1"


@pytest.mark.parametrize(
    "body", [b"not protobuf", b"\x0a\x05ab", traces({"name": "??"}).SerializeToString().replace(b"??", b"\xff\xfe")]
)
async def test_a_malformed_message_is_invalid_argument(receiver: Receiver, body: bytes) -> None:
    status = await refused(receiver.call(body))
    assert (status.code, reason(status), retry_after(status)) == (3, "MALFORMED_TELEMETRY", None)
    assert "The body is no ExportTraceServiceRequest" in status.message


async def test_an_unknown_key_is_unauthenticated(receiver: Receiver) -> None:
    assert (await refused(receiver.call(traces(), key="airis_x_y"))).code == 16


async def test_a_key_that_may_only_read_is_permission_denied(receiver: Receiver) -> None:
    assert (await refused(receiver.call(traces(), key=receiver.keys.read))).code == 7


async def test_a_key_store_that_is_away_is_unavailable(receiver: Receiver) -> None:
    receiver.keys.away = True
    status = await refused(receiver.call(traces()))
    assert status.code == 14
    assert retry_after(status)


async def test_a_bus_that_is_away_is_unavailable_with_retry_info(receiver: Receiver) -> None:
    receiver.bus.away = True
    status = await refused(receiver.call(traces()))
    assert (status.code, reason(status)) == (14, "BUS_UNAVAILABLE")
    assert retry_after(status) == 1
    receiver.bus.away = False
    assert receiver.records() == []


async def test_a_tenant_that_sends_too_fast_is_told_when_to_retry(start_receiver: StartReceiver) -> None:
    async with start_receiver(tenant_bytes_per_second=10, tenant_burst_seconds=1) as receiver:
        await receiver.call(traces())
        status = await refused(receiver.call(traces()))
        assert status.code == 8
        assert (retry_after(status) or 0) > 1


async def test_a_message_over_the_limit_is_refused_packed_or_not(start_receiver: StartReceiver) -> None:
    async with start_receiver(max_unpacked_bytes=1024**2) as receiver:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await receiver.call(bytes(2 * 1024**2), compression=compression)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await receiver.call(traces())


async def test_a_stranger_is_refused_before_the_message_is_taken(receiver: Receiver) -> None:
    async def never() -> Any:
        await asyncio.sleep(30)
        yield b""

    call = receiver.channel.stream_unary(TRACE_SERVICE.method)(never(), timeout=20)
    async with asyncio.timeout(5):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_message_that_does_not_come_is_given_up(start_receiver: StartReceiver) -> None:
    async def never() -> Any:
        await asyncio.sleep(30)
        yield b""

    async with start_receiver(body_timeout_seconds=0.2) as receiver:
        metadata = (("authorization", f"Bearer {receiver.keys.ingest}"),)
        call = receiver.channel.stream_unary(TRACE_SERVICE.method)(never(), metadata=metadata, timeout=20)
        assert reason(await refused(call)) == "REQUEST_TIMEOUT"
        assert await receiver.metric("airis_receiver_in_flight_bytes") == 0


async def test_a_call_without_a_message_is_invalid(receiver: Receiver) -> None:
    async def nothing() -> Any:
        for _ in ():
            yield b""

    metadata = (("authorization", f"Bearer {receiver.keys.ingest}"),)
    call = receiver.channel.stream_unary(TRACE_SERVICE.method)(nothing(), metadata=metadata, timeout=20)
    assert (await refused(call)).code == 3


async def test_another_method_is_unimplemented(receiver: Receiver) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await receiver.channel.unary_unary(
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        )(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_calls_are_counted(receiver: Receiver) -> None:
    await receiver.call(traces())
    await refused(receiver.call(b"garbage"))
    assert await receiver.metric("airis_receiver_requests_total", protocol="grpc", outcome="ok") == 1
    assert await receiver.metric("airis_receiver_requests_total", protocol="grpc", outcome="malformed-telemetry") == 1


async def test_many_at_once(receiver: Receiver) -> None:
    await asyncio.gather(*(receiver.call(traces({"name": f"{n:03}"})) for n in range(200)))
    assert sum(int(dict(record.headers)["records"]) for record in receiver.records()) == 200
    whole = b"".join(record.value for record in receiver.records())
    assert all(f"{n:03}".encode() in whole for n in range(200))
