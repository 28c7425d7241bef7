"""The telemetry tables, as the writer sees them. The only file of this service that names tables."""

from collections.abc import Iterable
from importlib import resources
from typing import ClassVar

from libs.common.bus.protocol import Record
from libs.common.clickhouse import parse_statement
from libs.common.clickhouse.client import ClickHouse
from libs.common.clickhouse.deduplication import insert_memory
from libs.common.clickhouse.failures import needs_too_much
from libs.common.errors import StoreRejected, StoreUnavailable
from libs.common.pipeline import Batch, Memory, Rejected, TooLarge
from services.ingestion import envelopes
from services.ingestion.otlp_decoding import format_schema, insert_statement
from services.ingestion.payload import normalised
from services.ingestion.signals import LOGS, METRICS, TRACES, Signal

# Where inserts arrive, and the table among those fed from there that has a row for each record.
_RECEIVED = {TRACES: "received_spans", LOGS: "received_logs", METRICS: "received_metric_points"}
_TABLES = {TRACES: "spans", LOGS: "logs", METRICS: "metric_points"}


class TelemetrySink:
    """One signal's way into its table: libs.common.pipeline's Sink."""

    # One thread in and one block out keep the insert atomic and its parts the same on every replay.
    SETTINGS: ClassVar[dict[str, str | int]] = {
        "async_insert": 0,
        "max_threads": 1,
        "max_insert_threads": 1,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        "format_schema_source": "string",
        "input_format_protobuf_oneof_presence": 1,
        "input_format_parallel_parsing": 0,
    }

    def __init__(self, clickhouse: ClickHouse, signal: Signal) -> None:
        self._clickhouse = clickhouse
        self._signal = signal
        queries = resources.files(__package__) / "queries"
        self._stored_rows, self._stored_rows_on_replicas = (
            parse_statement(name, (queries / f"{name}.sql").read_text("utf-8"))
            for name in ("stored_rows", "stored_rows_on_replicas")
        )
        self._memory: Memory | None = None

    @property
    def name(self) -> str:
        """See Sink."""
        return self._signal.name

    def rows(self, record: Record) -> int:
        """See Sink."""
        return envelopes.rows(record)

    def received_ns(self, record: Record) -> int:
        """See Sink."""
        return envelopes.received_ns(record)

    def normalised(self, record: Record) -> Record | None:
        """See Sink."""
        return normalised(self._signal, record)

    async def memory(self) -> Memory:
        """See Sink."""
        if self._memory is None:
            found = await insert_memory(self._clickhouse, _RECEIVED[self._signal])
            self._memory = Memory(found.atomic, found.tokens, found.seconds, found.setting)
        return self._memory

    async def insert(self, batch: Batch, token: str) -> None:
        """See Sink."""
        try:
            await self._insert(batch.records, token)
        except StoreRejected as error:
            raise Rejected(error.reason) from error
        except StoreUnavailable as error:
            if needs_too_much(error):
                raise TooLarge(str(error.__cause__)) from error
            raise

    async def end_insert(self, token: str) -> None:
        """See Sink."""
        await self._clickhouse.end_query(token)

    async def try_statement(self) -> None:
        """See Sink. The codes of what the store refuses in data are too many to tell the two apart by."""
        await self._insert((), None)

    async def _insert(self, records: Iterable[Record], token: str | None) -> None:
        settings = self.SETTINGS | {
            "format_schema": format_schema(),
            "format_schema_message_name": self._signal.envelope,
        }
        await self._clickhouse.insert_raw(
            insert_statement(self._signal.insert), envelopes.body(records), fmt="Protobuf", settings=settings,
            token=token, query_id=token,
        )  # fmt: skip

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        """See Sink. Offsets begin again when a topic is made anew; the receive time tells its records from those of before."""
        received = {record.offset: envelopes.received_ns(record) for record in batch.records}
        parameters: dict[str, str | int] = {
            "table": _TABLES[self._signal],
            "partition": batch.partition.partition,
            "first": min(received),
            "last": max(received),
            "earliest": min(received.values()),
            "latest": max(received.values()),
        }
        statement = self._stored_rows
        if (await self.memory()).atomic:
            # A replica may lag, so all of them are asked: rows that are committed are on the one that took them.
            statement, parameters["cluster"] = self._stored_rows_on_replicas, self._clickhouse.settings.cluster
            if not parameters["cluster"]:
                raise StoreUnavailable("Set AIRIS_CLICKHOUSE_CLUSTER: what is stored is asked of all replicas of it.")
        rows = await self._clickhouse.query(statement, parameters)
        return {
            int(row["bus_offset"]): int(row["row_count"])
            for row in rows
            if received.get(int(row["bus_offset"])) == int(row["received_at_ns"])
        }
