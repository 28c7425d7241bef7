"""What the writer asks of the store, on a real engine: each batch once, and a true account of what is there."""

import asyncio
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from libs.common.bus.protocol import Record, TopicPartition
from libs.common.clickhouse import ClickHouse
from libs.common.errors import StoreRejected, StoreUnavailable
from libs.common.pipeline import Batch, Rejected
from services.ingestion.repository import TelemetrySink
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


def batch_of(signal: Signal, *records: Record) -> Batch:
    return Batch.over(TopicPartition(signal.topic, records[0].partition), "life", records)


async def test_a_batch_is_stored_once_and_counted_by_offset(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    sink = TelemetrySink(clickhouse, TRACES)
    batch = batch_of(TRACES, record(7, 2), record(8, 1), record(10, 3))
    for _ in range(2):
        await sink.insert(batch, batch.token)
    assert await sink.stored_rows(batch) == {7: 2, 8: 1, 10: 3}
    # The same records in the rollup too, so the views dropped the replay as well.
    (row,) = await clickhouse.query("SELECT sum(request_count) AS requests FROM red_1h")
    assert row["requests"] == 6


@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS], ids=lambda signal: signal.name)
async def test_every_signal_has_its_table(clickhouse: ClickHouse, signal: Signal) -> None:
    await create_schema(clickhouse)
    assert await TelemetrySink(clickhouse, signal).stored_rows(batch_of(signal, record(1, 1))) == {}


async def test_what_cannot_be_decoded_is_told_from_a_store_that_is_away(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    broken = Record(TRACES.topic, 0, 1, None, b"\x0a\xff", ((TENANT_HEADER, b"t1"),), NOW // 10**6)
    with pytest.raises(Rejected):
        await TelemetrySink(clickhouse, TRACES).insert(batch_of(TRACES, broken), "token")


async def test_protobuf_that_the_stores_reader_refuses_is_stored_once_it_is_written_anew(
    clickhouse: ClickHouse,
) -> None:
    """In protobuf the last member of a oneof counts, and a message may come in pieces; the store takes neither."""
    await create_schema(clickhouse)
    sink = TelemetrySink(clickhouse, TRACES)
    plain = record(1, 1)
    attribute = KeyValue(key="twice").SerializeToString() + b"\x12\x04\x0a\x00\x18\x07"  # value: "", then 7
    span = bytes([0x4A, len(attribute)]) + attribute
    scoped = bytes([0x12, len(span)]) + span
    pieces = bytes([0x0A, len(scoped) + 2, 0x12, len(scoped)]) + scoped
    odd = replace(plain, value=plain.value + pieces)
    with pytest.raises(Rejected):
        await sink.insert(batch_of(TRACES, odd), "as sent")
    anew = sink.normalised(odd)
    assert anew is not None
    await sink.insert(batch_of(TRACES, anew), "anew")
    rows = await clickhouse.query("SELECT attributes_int FROM spans WHERE trace_id = '' AND bus_offset = 1")
    assert [row["attributes_int"] for row in rows] == [{"twice": 7}]


async def test_an_insert_of_nothing_tells_whether_the_statement_is_at_fault(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    sinks = [TelemetrySink(clickhouse, signal) for signal in (TRACES, LOGS, METRICS)]
    for sink in sinks:
        await sink.try_statement()
    for view in ("received_logs_to_logs", "received_logs_to_resources"):
        await clickhouse.command(f"DROP VIEW {view}")
    await clickhouse.command("ALTER TABLE received_logs DROP COLUMN resource_entity_refs")
    await sinks[0].try_statement()
    with pytest.raises(StoreRejected):
        await sinks[1].try_statement()
    assert await clickhouse.query("SELECT * FROM spans") == []


async def test_the_count_knows_rows_of_another_life_by_their_receive_time(clickhouse: ClickHouse) -> None:
    await create_schema(clickhouse)
    sink = TelemetrySink(clickhouse, TRACES)
    before = batch_of(TRACES, record(7, 2))
    await sink.insert(before, before.token)
    later = replace(record(7, 1), headers=((TENANT_HEADER, b"t1"), (RECEIVED_AT_HEADER, str(NOW + 1).encode())))
    assert await sink.stored_rows(batch_of(TRACES, later)) == {}
    assert await sink.stored_rows(batch_of(TRACES, later, record(8, 1))) == {}
    assert await sink.stored_rows(before) == {7: 2}


@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS], ids=lambda signal: signal.name)
async def test_the_memory_of_inserts_is_that_of_the_table_and_of_all_its_views_feed(
    clickhouse: ClickHouse, signal: Signal
) -> None:
    await create_schema(clickhouse)
    memory = await TelemetrySink(clickhouse, signal).memory()
    assert not memory.atomic
    assert memory.tokens >= 10_000
    await clickhouse.command("ALTER TABLE resources MODIFY SETTING non_replicated_deduplication_window = 77")
    memory = await TelemetrySink(clickhouse, signal).memory()
    assert (memory.tokens, memory.setting) == (77, "resources.non_replicated_deduplication_window")


async def test_a_store_without_tables_is_waited_for(clickhouse: ClickHouse) -> None:
    with pytest.raises(StoreUnavailable, match="airis migrate"):
        await TelemetrySink(clickhouse, TRACES).memory()


async def test_of_one_token_one_insert_runs_and_it_can_be_ended(clickhouse: ClickHouse) -> None:
    """Its sender may be gone long since."""
    await clickhouse.command("CREATE TABLE slow (x UInt32) ENGINE = MergeTree ORDER BY x")
    statement = "INSERT INTO slow SELECT x + sleepEachRow(1) FROM input('x UInt32')"
    settings = {"max_block_size": 1, "function_sleep_max_microseconds_per_block": 100_000_000}

    async def insert(rows: int) -> int:
        body = b"".join(b"%d\n" % row for row in range(rows))
        return await clickhouse.insert_raw(statement, body, "TSV", settings, token="t-1", query_id="t-1")

    first = asyncio.create_task(insert(60))
    await asyncio.sleep(1)
    with pytest.raises(StoreUnavailable):
        await insert(1)
    await clickhouse.end_query("t-1")
    with pytest.raises(StoreUnavailable):
        await first
    assert await clickhouse.query("SELECT x FROM slow") == []
    await insert(1)
    await clickhouse.end_query("never seen")
