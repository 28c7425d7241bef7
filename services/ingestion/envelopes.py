"""Records of the bus as the store reads them: length-prefixed envelopes of otlp.proto."""

from collections.abc import Iterable, Iterator

from libs.common.bus.protocol import Record
from services.ingestion.signals import RECEIVED_AT_HEADER, RECORDS_HEADER, TENANT_HEADER


def varint(value: int) -> bytes:
    """Protobuf base-128 varint of a non-negative int (protobuf.dev/programming-guides/encoding)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def body(records: Iterable[Record]) -> bytes:
    """The request body of an INSERT: an envelope each. A pure function of the records, so a replay is the same."""
    return b"".join(part for record in records for part in _envelope(record))


def _envelope(record: Record) -> Iterator[bytes]:
    tenant = header(record, TENANT_HEADER).encode()
    request = b"\x0a" + varint(len(record.value))
    known = (
        b"\x12" + varint(len(tenant)) + tenant + b"\x18" + varint(record.partition) + b"\x20" + varint(record.offset)
        + b"\x29" + received_ns(record).to_bytes(8, "little")
    )  # fmt: skip
    yield varint(len(request) + len(record.value) + len(known))
    yield request
    yield record.value
    yield known


def header(record: Record, name: str) -> str:
    """The header's text, "" when absent."""
    for key, value in record.headers:
        if key == name:
            return value.decode("utf-8", "replace")
    return ""


def received_ns(record: Record) -> int:
    """When the receiver had it, in unix nanoseconds; the bus's own time of it where nobody noted that."""
    return int(header(record, RECEIVED_AT_HEADER) or record.timestamp_ms * 1_000_000)


def rows(record: Record) -> int:
    """Rows it makes in the signal's table, as the receiver counted them."""
    return int(header(record, RECORDS_HEADER) or 0)
