"""What the writer asks of the store, on a real engine: each batch once, and a true account of what is there."""

from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from libs.common.bus.protocol import Record
from libs.common.clickhouse import ClickHouse
from libs.common.errors import StoreRejected
from services.ingestion.batch import Batch
from services.ingestion.payload import normalised
from services.ingestion.repository import Rejected, TelemetryRepository
from services.ingestion.signals import LOGS, METRICS, RECEIVED_AT_HEADER, TENANT_HEADER, TRACES, Signal
from tests.fixtures.telemetry import create_schema

NOW = 1_700_000_000_000_000_000


def record(offset: int, spans: int) -> Record:
    request = ExportTraceServiceRequest()
    for index in range(spans):
        request.resource_spans.add().scope_spans.add().spans.add(
            trace_id=offset.to_bytes(16, "big"), span_id=(index + 1).to_bytes(8, "big"), start_time_unix_nano=NOW
        )
    headers = ((TENANT_HEADER, b"t1"), (RECEIVED_AT_HEADER, str(NOW).encode()))
    return Record(TRACES.topic, 3, offset, None, request.SerializeToString(), headers, NOW // 10**6)


async def test_a_batch_is_stored_once_and_counted_by_offset(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    repository = TelemetryRepository(clickhouse)
    batch = Batch(TRACES, 3, (record(7, 2), record(8, 1), record(10, 3)))
    for _ in range(2):
        await repository.insert(batch, batch.token)
    assert await repository.stored_rows(batch) == {7: 2, 8: 1, 10: 3}
    # The same records in the rollup too, so the views dropped the replay as well.
    (row,) = await clickhouse.query("SELECT sum(request_count) AS requests FROM red_1h")
    assert row["requests"] == 6


@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS], ids=lambda signal: signal.name)
async def test_every_signal_has_its_table(clickhouse: ClickHouse, signal: Signal) -> None:
    await create_schema(clickhouse)
    assert await TelemetryRepository(clickhouse).stored_rows(Batch(signal, 0, (record(1, 1),))) == {}


async def test_what_cannot_be_decoded_is_told_from_a_store_that_is_away(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    broken = Record(TRACES.topic, 0, 1, None, b"\x0a\xff", ((TENANT_HEADER, b"t1"),), NOW // 10**6)
    with pytest.raises(Rejected):
        await TelemetryRepository(clickhouse).insert(Batch(TRACES, 0, (broken,)), "token")


async def test_protobuf_that_the_stores_reader_refuses_is_stored_once_it_is_written_anew(
    clickhouse: ClickHouse,
) -> None:
    """In protobuf the last member of a oneof counts, and a message may come in pieces; the store takes neither."""
    await create_schema(clickhouse)
    repository = TelemetryRepository(clickhouse)
    plain = record(1, 1)
    attribute = KeyValue(key="twice").SerializeToString() + b"\x12\x04\x0a\x00\x18\x07"  # value: "", then 7
    span = bytes([0x4A, len(attribute)]) + attribute
    scoped = bytes([0x12, len(span)]) + span
    pieces = bytes([0x0A, len(scoped) + 2, 0x12, len(scoped)]) + scoped
    odd = replace(plain, value=plain.value + pieces)
    with pytest.raises(Rejected):
        await repository.insert(Batch(TRACES, 3, (odd,)), "as sent")
    anew = normalised(TRACES, odd)
    assert anew is not None
    await repository.insert(Batch(TRACES, 3, (anew,)), "anew")
    rows = await clickhouse.query("SELECT attributes_int FROM spans WHERE trace_id = '' AND bus_offset = 1")
    assert [row["attributes_int"] for row in rows] == [{"twice": 7}]


async def test_an_insert_of_nothing_tells_whether_the_statement_is_at_fault(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    repository = TelemetryRepository(clickhouse)
    for signal in (TRACES, LOGS, METRICS):
        await repository.try_statement(signal)
    for view in ("received_logs_to_logs", "received_logs_to_resources"):
        await clickhouse.command(f"DROP VIEW {view}")
    await clickhouse.command("ALTER TABLE received_logs DROP COLUMN resource_entity_refs")
    await repository.try_statement(TRACES)
    with pytest.raises(StoreRejected):
        await repository.try_statement(LOGS)
    assert await clickhouse.query("SELECT * FROM spans") == []
