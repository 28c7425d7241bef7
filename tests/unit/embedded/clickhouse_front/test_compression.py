"""Content codings: what was coded comes back, in pieces of any size; what is damaged is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.clickhouse_front.compression import DAMAGED, STEP, choose_encoding, decoder, encoder

CODINGS = ["lz4", "zstd", "gzip", "deflate"]


def encoded(coding: str, pieces: list[bytes]) -> bytes:
    one = encoder(coding)
    return b"".join([*(one.feed(piece) for piece in pieces), one.finish()])


def decoded(coding: str, data: bytes, size: int) -> bytes:
    one = decoder(coding)
    assert one is not None
    out = [piece for start in range(0, len(data), size) for piece in one.feed(data[start : start + size])]
    one.finish()
    assert all(len(piece) <= STEP for piece in out)
    return b"".join(out)


@pytest.mark.parametrize("coding", CODINGS)
@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 60))
def test_what_was_coded_comes_back(coding: str, pieces: list[bytes], size: int) -> None:
    assert decoded(coding, encoded(coding, pieces), size) == b"".join(pieces)


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip"])
@given(st.lists(st.binary(max_size=30), min_size=2, max_size=3), st.integers(1, 60))
def test_frames_one_after_another_are_one_body(coding: str, bodies: list[bytes], size: int) -> None:
    data = b"".join(encoded(coding, [body]) for body in bodies)
    assert decoded(coding, data, size) == b"".join(bodies)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_unpacks_in_steps(coding: str) -> None:
    data = encoded(coding, [bytes(3 * STEP)])
    assert len(data) < STEP // 10
    assert decoded(coding, data, len(data)) == bytes(3 * STEP)


@pytest.mark.parametrize("coding", CODINGS)
@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_cut_off_body_is_damaged(coding: str, body: bytes, data: st.DataObject) -> None:
    whole = encoded(coding, [body])
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(DAMAGED):
        decoded(coding, cut, len(cut))


@pytest.mark.parametrize("coding", CODINGS)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_damaged(coding: str, data: bytes) -> None:
    try:
        decoded(coding, data, 7)
    except DAMAGED as error:
        assert str(error)


@given(st.text(st.sampled_from("lz4gipstd,;q=01. *"), max_size=30))
def test_any_accept_encoding_is_answered_with_a_coding_it_names(accept: str) -> None:
    chosen = choose_encoding(accept)
    assert chosen is None or chosen in accept


def test_a_coding_with_weight_zero_is_not_chosen() -> None:
    assert choose_encoding("lz4;q=0, gzip;q=0.5") == "gzip"
    assert choose_encoding("identity") is None
    assert decoder("br") is None
