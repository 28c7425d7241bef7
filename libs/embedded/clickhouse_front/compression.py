"""HTTP content codings of request and response bodies, decoded and encoded piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import lz4.frame
import zstandard


class Codec(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Decoder:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._decoder: object | None = None

    def feed(self, data: bytes) -> bytes:
        out = []
        while data:
            if self._decoder is None:
                self._decoder = self._make()
            out.append(self._decoder.decompress(data))  # type: ignore[attr-defined]
            if not self._decoder.eof:  # type: ignore[attr-defined]
                break
            data = self._decoder.unused_data or b""  # type: ignore[attr-defined]
            self._decoder = None
        return b"".join(out)

    def finish(self) -> bytes:
        if self._decoder is not None and not self._decoder.eof:  # type: ignore[attr-defined]
            raise ValueError("the compressed body ends too early")
        return b""


class _Encoder:
    def __init__(self, compress: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> None:
        self._compress, self._flush = compress, flush

    def feed(self, data: bytes) -> bytes:
        return self._compress(data)

    def finish(self) -> bytes:
        return self._flush()


def _lz4_encoder() -> Codec:
    frame = lz4.frame.LZ4FrameCompressor()
    head = frame.begin()

    def compress(data: bytes) -> bytes:
        nonlocal head
        out, head = head + frame.compress(data), b""
        return out

    return _Encoder(compress, lambda: head + frame.flush())


def _zlib_encoder(wbits: int) -> Codec:
    packer = zlib.compressobj(1, zlib.DEFLATED, wbits)
    return _Encoder(packer.compress, packer.flush)


def _zstd_encoder() -> Codec:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return _Encoder(packer.compress, packer.flush)


DECODERS: dict[str, Callable[[], Codec]] = {
    "lz4": lambda: _Decoder(lz4.frame.LZ4FrameDecompressor),
    "zstd": lambda: _Decoder(lambda: zstandard.ZstdDecompressor().decompressobj()),
    "gzip": lambda: _Decoder(lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    "deflate": lambda: _Decoder(lambda: zlib.decompressobj(zlib.MAX_WBITS)),
}
ENCODERS: dict[str, Callable[[], Codec]] = {
    "lz4": _lz4_encoder,
    "zstd": _zstd_encoder,
    "gzip": lambda: _zlib_encoder(zlib.MAX_WBITS | 16),
    "deflate": lambda: _zlib_encoder(zlib.MAX_WBITS),
}
ERRORS = (zlib.error, zstandard.ZstdError, RuntimeError, ValueError)


def choose_encoding(accept: str) -> str | None:
    """The cheapest coding we can write among those of an Accept-Encoding header."""
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",") if ";q=0" not in part.replace(" ", "")}
    return next((name for name in ENCODERS if name in offered), None)
