"""The telemetry tables, as the writer sees them. The only file of this service that names tables."""

from importlib import resources
from typing import ClassVar

from libs.common.clickhouse.client import ClickHouse
from libs.common.errors import StoreRejected
from services.ingestion.batch import Batch
from services.ingestion.otlp_decoding import format_schema, insert_statement
from services.ingestion.signals import LOGS, METRICS, TRACES

_TABLES = {TRACES: "spans", LOGS: "logs", METRICS: "metric_points"}

# Errors of the store that speak of the data, so that trying again is of no use (ClickHouse src/Common/ErrorCodes.cpp):
# CANNOT_PARSE_TEXT, ATTEMPT_TO_READ_AFTER_EOF, CANNOT_READ_ALL_DATA, TYPE_MISMATCH, ARGUMENT_OUT_OF_BOUND, CANNOT_CONVERT_TYPE, INCORRECT_DATA,
# TOO_LARGE_ARRAY_SIZE, TOO_LARGE_STRING_SIZE, PROTOBUF_BAD_CAST, PROTOBUF_FIELD_NOT_REPEATED, UNKNOWN_PROTOBUF_FORMAT.
DATA_ERRORS = frozenset({6, 32, 33, 53, 69, 70, 117, 128, 131, 439, 440, 444})


class Rejected(Exception):
    """The store cannot read the batch and never will."""

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
        settings = self.SETTINGS | {
            "format_schema": format_schema(),
            "format_schema_message_name": batch.signal.envelope,
        }
        try:
            await self._clickhouse.insert_raw(
                insert_statement(batch.signal.insert), batch.body(), fmt="Protobuf", settings=settings, token=token
            )
        except StoreRejected as error:
            if error.code in DATA_ERRORS:
                raise Rejected(error.reason) from error
            raise

    async def stored_rows(self, batch: Batch) -> dict[int, int]:
        """Rows in the store per offset of the batch's range."""
        rows = await self._clickhouse.query(
            self._stored_rows,
            {"table": _TABLES[batch.signal], "partition": batch.partition, "first": batch.first, "last": batch.last},
        )
        return {int(row["bus_offset"]): int(row["row_count"]) for row in rows}
