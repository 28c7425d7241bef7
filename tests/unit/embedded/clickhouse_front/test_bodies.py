from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from embedded.clickhouse_front.bodies import BodyReader, Budget, MemoryFile, memory_file, read_form
from embedded.clickhouse_front.compression import choose_encoding, decoder, encoder
from embedded.clickhouse_front.engine import EngineError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


def contents(file: MemoryFile) -> bytes:
    return file.read(file.size)


@given(
    coding=st.sampled_from(sorted(COMPRESS)),
    frames=st.lists(st.binary(max_size=3000), min_size=1, max_size=3),
    cut=st.integers(min_value=1, max_value=500),
)
def test_bodies_are_decoded_however_they_are_cut(coding: str, frames: list[bytes], cut: int) -> None:
    coded = b"".join(COMPRESS[coding](frame) for frame in frames)
    with memory_file(Budget(1 << 20)) as file:
        reader = BodyReader(coding, file, 1 << 20)
        for start in range(0, len(coded), cut):
            reader.feed(coded[start : start + cut], last=False)
        reader.feed(b"", last=True)
        assert contents(file) == b"".join(frames)


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip", "deflate"])
def test_a_bomb_is_stopped_early(coding: str) -> None:
    bomb = COMPRESS[coding](bytes(64 << 20))
    with memory_file(Budget(1 << 30)) as file:
        with pytest.raises(EngineError, match="larger than 3000000 bytes"):
            BodyReader(coding, file, 3_000_000).feed(bomb, last=True)
        assert file.size <= 3_000_000


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip", "deflate"])
@pytest.mark.parametrize("damage", [lambda body: body[:-3], lambda body: b"nonsense" + body])
def test_damaged_bodies(coding: str, damage: Callable[[bytes], bytes]) -> None:
    with memory_file(Budget(1 << 20)) as file, pytest.raises(EngineError) as caught:
        BodyReader(coding, file, 1 << 20).feed(damage(COMPRESS[coding](b"some text" * 100)), last=True)
    assert caught.value.code == 271


def test_unknown_coding() -> None:
    with memory_file(Budget(100)) as file, pytest.raises(EngineError, match="lz4, zstd, gzip or deflate"):
        BodyReader("br", file, 100)


def test_the_budget_is_shared_and_given_back() -> None:
    budget = Budget(100)
    with memory_file(budget) as one:
        one.write(bytes(80))
        with memory_file(budget) as two, pytest.raises(EngineError, match="Retry later"):
            two.write(bytes(21))
        assert budget.used == 80
    assert budget.used == 0


def test_appending_copies_a_tail() -> None:
    with memory_file(Budget(1000)) as source, memory_file(Budget(1000)) as target:
        source.write(b"0123456789")
        target.write(b"x")
        target.append_from(source, 7)
        assert contents(target) == b"x789"


@given(
    coding=st.sampled_from(["lz4", "zstd", "gzip", "deflate"]),
    pieces=st.lists(st.binary(max_size=2000), max_size=5),
)
def test_what_is_encoded_can_be_decoded(coding: str, pieces: list[bytes]) -> None:
    packer, unpacker = encoder(coding), decoder(coding)
    assert unpacker is not None
    coded = b"".join([*(packer.feed(piece) for piece in pieces), packer.finish()])
    assert b"".join(unpacker.feed(coded)) == b"".join(pieces)
    unpacker.finish()


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("gzip, zstd", "zstd"),
        ("lz4,zstd,gzip", "lz4"),
        ("br", None),
        ("", None),
        ("zstd;q=0, gzip; q=0.5", "gzip"),
        ("GZIP", "gzip"),
    ],
)
def test_choice_of_encoding(accept: str, chosen: str | None) -> None:
    assert choose_encoding(accept) == chosen


def test_forms() -> None:
    body = (
        b'preamble\r\n--xx\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n\r\n--x\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="t"; filename="t.csv"\r\nContent-Type: text/csv\r\n\r\n\x00\r\n1\n\r\n--xx--\r\n'
    )
    parts = read_form('multipart/form-data; boundary="xx"', body)
    assert [(part.name, part.data, part.is_file) for part in parts] == [
        ("query", b"SELECT 1\r\n\r\n--x", False),
        ("t", b"\x00\r\n1\n", True),
    ]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nno name\r\n\r\n1\r\n--x--"),
    ],
)
def test_broken_forms(content_type: str, body: bytes) -> None:
    with pytest.raises(EngineError):
        read_form(content_type, body)
