"""Content codings, unpacked in bounded steps: a bomb is found out when it passes the limit, never held in memory.

Source: RFC 9110 section 8.4.1 (gzip, deflate), RFC 8878 (zstd).
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

from backports import zstd

from libs.common.errors import PayloadTooLarge, UnsupportedMediaType
from services.ingestion.errors import MalformedTelemetry

CODINGS = ("gzip", "zstd", "deflate", "identity")
# Unpacked in the event loop: about 1 ms. Whatever is longer goes on in a thread, where zlib and zstd let go of the GIL.
_INLINE_BYTES = 512 * 1024
_STEP_BYTES = 4 * 1024**2
# zlib copies the rest of its input at every step; small slices keep that linear.
_INPUT_SLICE = 64 * 1024
# RFC 8878, 3.1.1.1.2 recommends that decoders take windows up to 8 MiB; the window is memory a header can ask for.
_ZSTD_WINDOW_LOG = 23
# A body may be several gzip members or zstd frames in a row; each costs a new decompressor.
_MEMBERS = 1_000


async def unpack(body: bytes, coding: str, limit: int, reserve: Callable[[int], None]) -> bytes:
    """The body unpacked, at most `limit` bytes. `reserve` is told of memory before it is kept, and may refuse by raising.

    Raises PayloadTooLarge, MalformedTelemetry (corrupt or cut off), UnsupportedMediaType (unknown coding).
    """
    unpacker = Unpacker(body, coding)
    chunk = unpacker.read(min(_INLINE_BYTES, limit + 1))
    chunks: list[bytes] = []
    size = 0
    while chunk:
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(
                f"The body unpacks to more than {limit} bytes; send fewer records at once, or tell your exporter to batch less."
            )
        reserve(len(chunk))
        chunks.append(chunk)
        # A short read means the end is near; a long one, that there is work worth a thread.
        step = min(_STEP_BYTES, limit + 1 - size)
        chunk = unpacker.read(step) if size < _INLINE_BYTES else await asyncio.to_thread(unpacker.read, step)
    return b"".join(chunks) if len(chunks) != 1 else chunks[0]


class Unpacker:
    """A packed body being unpacked. Raises UnsupportedMediaType when `coding` is none of CODINGS."""

    def __init__(self, body: bytes, coding: str) -> None:
        self._name = coding.removeprefix("x-")
        self._new_stream = _new_stream(self._name, body)
        self._stream = self._new_stream()
        self._body = memoryview(body)
        self._position = 0
        self._pending: bytes | memoryview = b""
        self._members = 1

    def read(self, size: int) -> bytes:
        """Between 1 and `size` more bytes; b"" at the end. Raises MalformedTelemetry when corrupt or cut off."""
        while True:
            if not self._pending:
                self._pending = self._body[self._position : self._position + _INPUT_SLICE]
                self._position += len(self._pending)
            if self._stream.eof:
                if not self._pending:
                    return b""
                self._begin_member()
            exhausted = not self._pending
            try:
                chunk = self._stream.decompress(self._pending, size)
            except (zlib.error, zstd.ZstdError) as error:
                raise MalformedTelemetry(f"The body is not valid {self._name}: {error}.") from None
            # zlib hands back what it has not read; zstd keeps it.
            self._pending = (
                self._stream.unused_data if self._stream.eof else getattr(self._stream, "unconsumed_tail", b"")
            )
            if chunk:
                return chunk
            if exhausted and not self._stream.eof:
                raise MalformedTelemetry(f"The body ends in the middle of its {self._name} data.")

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS:
            raise MalformedTelemetry(f"The body has more than {_MEMBERS} {self._name} members; pack it in one.")
        self._stream = self._new_stream()


class _Stream(Protocol):
    """What zlib's and zstd's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes: ...


def _new_stream(name: str, body: bytes) -> Callable[[], _Stream]:
    if name == "gzip":
        return lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)
    if name == "deflate":
        # "deflate" means the zlib format, yet some senders leave its two-byte header out.
        wrapped = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return lambda: zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    if name == "zstd":
        return lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    raise UnsupportedMediaType(f"Content-Encoding must be one of {', '.join(CODINGS)}.")
