"""Content codings: everything comes back, bombs stop at the limit, broken streams are called broken."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import PayloadTooLarge, UnsupportedMediaType
from services.ingestion.errors import MalformedTelemetry, ReceiverOverloaded
from services.ingestion.receivers.decompression import unpack


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
}
each_coding = pytest.mark.parametrize(("coding", "pack"), PACKERS.values(), ids=PACKERS)
LIMIT = 8 * 1024**2


class Reserved:
    def __init__(self, limit: int = 2**62) -> None:
        self.size = 0
        self._limit = limit

    def __call__(self, size: int) -> None:
        if self.size + size > self._limit:
            raise ReceiverOverloaded
        self.size += size


@each_coding
@given(pieces=st.lists(st.tuples(st.binary(max_size=50), st.integers(1, 40_000)), max_size=4))
async def test_what_was_packed_comes_back(
    coding: str, pack: Callable[[bytes], bytes], pieces: list[tuple[bytes, int]]
) -> None:
    data = b"".join(piece * times for piece, times in pieces)
    reserved = Reserved()
    assert await unpack(pack(data), coding, LIMIT, reserved) == data
    assert reserved.size == len(data)


@each_coding
async def test_a_body_larger_than_a_step_comes_back(coding: str, pack: Callable[[bytes], bytes]) -> None:
    data = bytes(range(256)) * 30_000 + b"end"
    assert await unpack(pack(data), coding, LIMIT, Reserved()) == data


@each_coding
async def test_the_limit_is_exact(coding: str, pack: Callable[[bytes], bytes]) -> None:
    data = b"a" * 10_000
    assert await unpack(pack(data), coding, 10_000, Reserved()) == data
    with pytest.raises(PayloadTooLarge):
        await unpack(pack(data), coding, 9_999, Reserved())


@each_coding
async def test_a_bomb_is_refused_without_being_held(coding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(200 * 1024**2))
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge, match="unpacks to more than"):
            await unpack(bomb, coding, LIMIT, Reserved())
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT
    finally:
        tracemalloc.stop()


@each_coding
async def test_memory_is_reserved_before_it_is_kept(coding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ReceiverOverloaded):
        await unpack(pack(bytes(LIMIT)), coding, LIMIT, Reserved(LIMIT // 2))


@each_coding
@given(data=st.data())
async def test_a_cut_off_body_is_malformed(coding: str, pack: Callable[[bytes], bytes], data: st.DataObject) -> None:
    body = pack(b"some telemetry " * 20)
    end = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(MalformedTelemetry):
        await unpack(body[:end], coding, LIMIT, Reserved())


@each_coding
@given(data=st.data())
async def test_a_broken_body_is_malformed_or_something_else(
    coding: str, pack: Callable[[bytes], bytes], data: st.DataObject
) -> None:
    body = bytearray(pack(b"some telemetry " * 20))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        unpacked = await unpack(bytes(body), coding, LIMIT, Reserved())
    except (MalformedTelemetry, PayloadTooLarge):
        return
    assert len(unpacked) <= LIMIT


async def test_several_members_are_one_body() -> None:
    assert (
        await unpack(gzip.compress(b"a") + gzip.compress(b"b" * 100_000), "gzip", LIMIT, Reserved())
        == b"a" + b"b" * 100_000
    )
    assert await unpack(zstd.compress(b"a") + zstd.compress(b"b"), "zstd", LIMIT, Reserved()) == b"ab"


async def test_a_body_of_empty_members_is_refused() -> None:
    with pytest.raises(MalformedTelemetry, match="more than 1000 gzip members"):
        await unpack(gzip.compress(b"") * 2_000, "gzip", LIMIT, Reserved())


async def test_a_window_larger_than_memory_allows_is_refused() -> None:
    body = zstd.compress(bytes(64 * 1024**2), options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(MalformedTelemetry, match="too much memory"):
        await unpack(body, "zstd", 100 * 1024**2, Reserved())


async def test_unknown_codings_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedMediaType, match="gzip, zstd, deflate, identity"):
        await unpack(b"", "br", LIMIT, Reserved())
