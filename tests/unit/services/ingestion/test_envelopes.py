"""Records of the bus as the store reads them."""

from hypothesis import given
from hypothesis import strategies as st

from libs.common.bus.protocol import Record
from services.ingestion.envelopes import body, rows, varint


def record(offset: int, value: bytes = b"payload", tenant: str = "acme", rows: int = 1) -> Record:
    headers = (("tenant", tenant.encode()), ("received_at", b"1700000000000000007"), ("records", str(rows).encode()))
    return Record("telemetry.traces", 3, offset, None, value, headers, 1_700_000_000_000)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message: bytes) -> dict[int, bytes | int]:
    """An independent reader of the wire format, for messages with each field at most once."""
    found: dict[int, bytes | int] = {}
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        assert number not in found
        if wire_type == 0:
            found[number], at = read_varint(message, at)
        elif wire_type == 1:
            found[number], at = int.from_bytes(message[at : at + 8], "little"), at + 8
        else:
            assert wire_type == 2
            length, at = read_varint(message, at)
            found[number], at = message[at : at + length], at + length
    return found


@given(st.integers(0, 2**64 - 1))
def test_varint_reads_back(value: int) -> None:
    encoded = varint(value)
    assert read_varint(encoded, 0) == (value, len(encoded))


@given(st.binary(max_size=400), st.text(max_size=40), st.integers(0, 2**63 - 1))
def test_envelope_holds_the_payload_and_what_the_bus_knows(value: bytes, tenant: str, offset: int) -> None:
    data = body([record(offset, value, tenant)])
    length, at = read_varint(data, 0)
    assert at + length == len(data)
    assert fields(data[at:]) == {1: value, 2: tenant.encode(), 3: 3, 4: offset, 5: 1_700_000_000_000_000_007}


def test_payload_bytes_cannot_pose_as_envelope_fields() -> None:
    forged = b"\x12\x05other" + b"\x20\x01"
    data = body([record(9, forged)])
    _, at = read_varint(data, 0)
    assert fields(data[at:])[2] == b"acme"
    assert fields(data[at:])[4] == 9


def test_receive_time_falls_back_to_the_bus_and_never_to_now() -> None:
    bare = Record("telemetry.traces", 3, 0, None, b"", (), 1_700_000_000_123)
    _, at = read_varint(body([bare]), 0)
    assert fields(body([bare])[at:])[5] == 1_700_000_000_123_000_000


def test_a_body_is_its_records_one_after_the_other() -> None:
    assert body([record(5), record(6)]) == body([record(5)]) + body([record(6)])


def test_expected_rows_come_from_the_receiver() -> None:
    assert [rows(record(5, rows=7)), rows(record(6, rows=0))] == [7, 0]
    assert rows(Record("telemetry.traces", 3, 0, None, b"", (), 0)) == 0
