import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.bus.protocol import Headers
from libs.common.bus.redis_streams.codec import pack, unpack

names = st.text(max_size=50).filter(lambda name: "\x00" not in name)
values = st.one_of(st.binary(max_size=2000), st.binary(max_size=20).map(lambda part: part * 200))


@given(
    key=st.none() | st.binary(max_size=100),
    value=values,
    headers=st.lists(st.tuples(names, st.binary(max_size=100)), max_size=5).map(tuple),
    timestamp_ms=st.integers(-(2**63), 2**63 - 1),
    compress=st.booleans(),
)
def test_records_come_back(
    key: bytes | None, value: bytes, headers: Headers, timestamp_ms: int, compress: bool
) -> None:
    m, v = pack(key, value, headers, timestamp_ms, compress=compress)
    record = unpack("topic", 3, 7, m, v)
    assert (record.key, record.value, record.headers, record.timestamp_ms) == (key, value, headers, timestamp_ms)
    assert (record.topic, record.partition, record.offset) == ("topic", 3, 7)
    assert struct.unpack(">I", m[:4]) == (len(value),), "read.lua counts on it"
    assert len(v) <= len(value)


def test_values_are_compressed_where_it_helps() -> None:
    assert len(pack(None, b"span" * 1000, (), 0, compress=True)[1]) < 100
    assert pack(None, b"span" * 1000, (), 0, compress=False)[1] == b"span" * 1000
    assert pack(None, b"span" * 10, (), 0, compress=True)[1] == b"span" * 10


@given(m=st.binary(max_size=60), v=st.binary(max_size=60))
def test_foreign_entries_are_named_or_make_sense(m: bytes, v: bytes) -> None:
    error = None
    try:
        record = unpack("topic", 0, 5, m, v)
    except ValueError as raised:
        error = str(raised)
    if error is None:
        assert pack(record.key, record.value, record.headers, record.timestamp_ms, compress=False)[0][5:] == m[5:]
    else:
        assert "topic/0 offset 5 is not a record" in error


@given(st.binary(min_size=300, max_size=400), st.data())
def test_damaged_entries_are_named(value: bytes, data: st.DataObject) -> None:
    m, v = pack(b"key", value + bytes(300), (("name", b"content"),), 1, compress=True)
    cut = data.draw(st.integers(0, len(m) - 1))
    with pytest.raises(ValueError, match="is not a record"):
        unpack("topic", 0, 5, m[:cut], v)
    with pytest.raises(ValueError, match="is not a record"):
        unpack("topic", 0, 5, m, v[:-1])
