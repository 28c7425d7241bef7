"""The telemetry tables, as the writer sees them. The only file of this service that names tables."""

from importlib import resources
from typing import ClassVar

from libs.common.clickhouse.client import ClickHouse
from libs.common.errors import StoreRejected
from services.ingestion.batch import Batch
from services.ingestion.otlp_decoding import format_schema, insert_statement
from services.ingestion.signals import LOGS, METRICS, TRACES, Signal

_TABLES = {TRACES: "spans", LOGS: "logs", METRICS: "metric_points"}


class Rejected(Exception):
    """The store understood and said no. Trying again is of no use: either the data are at fault or our statement is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TelemetryRepository:
    """Writes batches and tells what is there."""

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

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._stored_rows = resources.files(__package__).joinpath("queries", "stored_rows.sql").read_text("utf-8")

    async def insert(self, batch: Batch, token: str) -> None:
        """Store all rows of `batch`, or none when `token` is known. Raises Rejected, or Unavailable when the outcome is unknown."""
        try:
            await self._insert(batch.signal, batch.body(), token)
        except StoreRejected as error:
            raise Rejected(error.reason) from error

    async def try_statement(self, signal: Signal) -> None:
        """Insert nothing. Raises StoreRejected when it is the statement, the schema or a setting that the store refuses.

        The codes of what it refuses in data are too many to tell the two apart by.
        """
        await self._insert(signal, b"", None)

    async def _insert(self, signal: Signal, body: bytes, token: str | None) -> None:
        settings = self.SETTINGS | {
            "format_schema": format_schema(),
            "format_schema_message_name": signal.envelope,
        }
        await self._clickhouse.insert_raw(
            insert_statement(signal.insert), body, fmt="Protobuf", settings=settings, token=token
        )

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        """Rows in the store per offset of the batch's range."""
        rows = await self._clickhouse.query(
            self._stored_rows,
            {"table": _TABLES[batch.signal], "partition": batch.partition, "first": batch.first, "last": batch.last},
        )
        return {int(row["bus_offset"]): int(row["row_count"]) for row in rows}
