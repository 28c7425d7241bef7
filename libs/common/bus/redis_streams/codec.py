"""How a record lies in a stream entry: `m`, packed by us, and `v`, the value, compressed where that helps.

m, big-endian: u32 bytes of the value before compression (read.lua reads it to keep to its budget), u8 codec of v (0 as it
is, 1 an lz4 block), i64 unix ms, i32 bytes of the key or -1, u16 headers; then the key; then for each header u16 bytes of
the name, u32 bytes of the value, name in UTF-8, value.
"""

import struct

import lz4.block

from libs.common.bus.protocol import Headers, Record

_FIXED = struct.Struct(">IBqiH")
_HEADER = struct.Struct(">HI")
_PLAIN, _LZ4 = 0, 1
# Below this lz4's gain is less than what Redis spends per entry.
_SMALL = 256


def pack(
    key: bytes | None, value: bytes, headers: Headers, timestamp_ms: int, *, compress: bool
) -> tuple[bytes, bytes]:
    """(m, v)."""
    codec, stored = _PLAIN, value
    if compress and len(value) >= _SMALL:
        packed = lz4.block.compress(value, store_size=False)
        if len(packed) < len(value):
            codec, stored = _LZ4, packed
    key_size = -1 if key is None else len(key)
    parts = [_FIXED.pack(len(value), codec, timestamp_ms, key_size, len(headers)), key or b""]
    for name, content in headers:
        encoded = name.encode()
        parts += [_HEADER.pack(len(encoded), len(content)), encoded, content]
    return b"".join(parts), stored


def unpack(topic: str, partition: int, offset: int, m: bytes, v: bytes) -> Record:
    """The record. Raises ValueError when the entry was not written by `pack`."""
    try:
        size, codec, timestamp_ms, key_size, count = _FIXED.unpack_from(m)
        position = _FIXED.size + max(key_size, 0)
        key = None if key_size < 0 else m[_FIXED.size : position]
        headers = []
        for _ in range(count):
            name_size, content_size = _HEADER.unpack_from(m, position)
            position += _HEADER.size
            name = m[position : position + name_size].decode()
            position += name_size
            headers.append((name, m[position : position + content_size]))
            position += content_size
        value = lz4.block.decompress(v, uncompressed_size=size) if codec == _LZ4 else v
    except (struct.error, lz4.block.LZ4BlockError, UnicodeDecodeError) as error:
        raise ValueError(f"{topic}/{partition} offset {offset} is not a record: {error}") from error
    if position != len(m) or len(value) != size:
        raise ValueError(f"{topic}/{partition} offset {offset} is not a record: its sizes do not add up")
    return Record(topic, partition, offset, key, value, tuple(headers), timestamp_ms)
