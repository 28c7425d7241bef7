"""HTTP content codings (RFC 9110, 8.4.1; plus ClickHouse's `lz4` frames), coded and decoded piece by piece."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# A few KiB can decompress to gigabytes, so decoding goes on in steps of this size and the reader may stop in between.
STEP = 1 << 20
DAMAGED = (zlib.error, zstd.ZstdError, RuntimeError, EOFError)
_ZLIB, _GZIP = zlib.MAX_WBITS, zlib.MAX_WBITS | 16


class Encoder(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class Decoder:
    """Decodes frames, one after another. `make` gives an object in the manner of bz2.BZ2Decompressor."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._frame: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces of at most STEP bytes. Raises one of DAMAGED."""
        while data or not (self._frame is None or self._frame.needs_input):
            if self._frame is None:
                self._frame = self._make()
            out = self._frame.decompress(data, STEP)
            data = b""
            if out:
                yield out
            if self._frame.eof:
                data, self._frame = self._frame.unused_data or b"", None

    def finish(self) -> None:
        """Raises EOFError when the last frame is not complete."""
        if self._frame is not None:
            raise EOFError("it ends too early")


class _Zlib:
    """zlib in the manner of bz2.BZ2Decompressor."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, limit: int) -> bytes:
        out: bytes = self._inner.decompress(self._inner.unconsumed_tail + data, limit)
        return out

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame: Any = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._frame.begin()

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._head + self._frame.compress(data)
        self._head = b""
        return out

    def finish(self) -> bytes:
        out: bytes = self._head + self._frame.flush()
        self._head = b""
        return out


class _Packer:
    """zlib and zstd compressors under this module's names."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._inner.compress(data)
        return out

    def finish(self) -> bytes:
        out: bytes = self._inner.flush()
        return out


_DECODERS: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(_ZLIB),
}
# Cheapest first: the client is on the same machine.
_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "lz4": _Lz4Encoder,
    "zstd": lambda: _Packer(zstd.ZstdCompressor(level=1)),
    "gzip": lambda: _Packer(zlib.compressobj(1, zlib.DEFLATED, _GZIP)),
    "deflate": lambda: _Packer(zlib.compressobj(1, zlib.DEFLATED, _ZLIB)),
}


def decoder(encoding: str) -> Decoder | None:
    """A decoder for a Content-Encoding, or None when we know none by that name."""
    make = _DECODERS.get(encoding)
    return Decoder(make) if make is not None else None


def encoder(encoding: str) -> Encoder:
    """An encoder for a coding that `choose_encoding` returned."""
    return _ENCODERS[encoding]()


def choose_encoding(accept: str) -> str | None:
    """The cheapest coding we can write among those of an Accept-Encoding header (RFC 9110, 12.5.3)."""
    offered = set()
    for part in accept.lower().split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        if weight.strip("0.") or not weight:
            offered.add(name)
    return next((name for name in _ENCODERS if name in offered), None)
