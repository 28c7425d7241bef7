"""A batch: consecutive records of one partition that reach the store in one INSERT, and its name there."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from libs.common.bus.protocol import Position, Record
from services.ingestion.signals import RECEIVED_AT_HEADER, RECORDS_HEADER, TENANT_HEADER, Signal

_INTENT_PREFIX = "last="


def varint(value: int) -> bytes:
    """Protobuf base-128 varint of a non-negative int (protobuf.dev/programming-guides/encoding)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def envelope(record: Record) -> bytes:
    """`record` as a length-prefixed envelope message of otlp.proto. A pure function of the record, so a replay is the same."""
    tenant = header(record, TENANT_HEADER).encode()
    received_at = int(header(record, RECEIVED_AT_HEADER) or record.timestamp_ms * 1_000_000)
    request = b"\x0a" + varint(len(record.value))
    known = (
        b"\x12" + varint(len(tenant)) + tenant + b"\x18" + varint(record.partition) + b"\x20" + varint(record.offset)
        + b"\x29" + received_at.to_bytes(8, "little")
    )  # fmt: skip
    return b"".join((varint(len(request) + len(record.value) + len(known)), request, record.value, known))


def header(record: Record, name: str) -> str:
    """The header's text, "" when absent."""
    for key, value in record.headers:
        if key == name:
            return value.decode("utf-8", "replace")
    return ""


@dataclass(frozen=True)
class Batch:
    """At least one record, offsets ascending, all of one partition of the signal's topic."""

    signal: Signal
    partition: int
    records: tuple[Record, ...]

    @property
    def first(self) -> int:
        return self.records[0].offset

    @property
    def last(self) -> int:
        return self.records[-1].offset

    @property
    def token(self) -> str:
        """Names this very set of records; the store drops a second insert under the same token."""
        return f"{self.signal.topic}-{self.partition}-{self.first}-{self.last}"

    @property
    def intent(self) -> Position:
        """What is committed before the insert: where the batch starts and, as metadata, where it ends."""
        return Position(self.first, f"{_INTENT_PREFIX}{self.last}")

    @cached_property
    def expected_rows(self) -> dict[int, int]:
        """Rows each offset makes in the signal's table, as the receiver counted them."""
        return {record.offset: int(header(record, RECORDS_HEADER) or 0) for record in self.records}

    @cached_property
    def oldest_received_ns(self) -> int:
        return min(
            int(header(record, RECEIVED_AT_HEADER) or record.timestamp_ms * 1_000_000) for record in self.records
        )

    def body(self) -> bytes:
        """The request body of the INSERT."""
        return b"".join(map(envelope, self.records))

    def halves(self) -> "tuple[Batch, Batch]":
        """Split in the middle; needs two records or more."""
        middle = len(self.records) // 2
        return self.of(self.records[:middle]), self.of(self.records[middle:])

    def of(self, records: Iterable[Record]) -> "Batch":
        """A batch of some of these records."""
        return Batch(self.signal, self.partition, tuple(records))


def intended_last(position: Position | None) -> int | None:
    """Last offset of the batch that was intended at `position` and may or may not have reached the store."""
    if position is None or not position.metadata.startswith(_INTENT_PREFIX):
        return None
    return int(position.metadata.removeprefix(_INTENT_PREFIX))
