"""How far into a list of results a page went, as text that means nothing to whoever carries it."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from services.analytics.errors import InvalidCursor

# Far beyond what anybody pages through.
MAX_OFFSET = 1_000_000
_INT64 = 2**63
_UINT64 = 2**64


@dataclass(frozen=True, slots=True)
class TraceCursor:
    """Traces strictly before (time, trace id), newest first. `time` is unix nanoseconds, `trace_id` hex, "" before all."""

    time: int
    trace_id: str

    def encode(self) -> str:
        return _encode("t", self.time, self.trace_id)

    @classmethod
    def decode(cls, text: str) -> "TraceCursor":
        """Raises InvalidCursor."""
        time, trace_id = _decode(text, "t", int, str)
        if not 0 <= time < _INT64 or not _is_hex(trace_id):
            raise _not_ours()
        return cls(time, trace_id)


@dataclass(frozen=True, slots=True)
class LogCursor:
    """Log records from this key downwards, without the first `seen` of those that have this very key."""

    time: int
    partition: int
    offset: int
    digest: int
    seen: int

    @classmethod
    def before(cls, time: int) -> "LogCursor":
        """All records filed before `time`."""
        return cls(time - 1, 2**32 - 1, _UINT64 - 1, _UINT64 - 1, 0)

    @property
    def key(self) -> tuple[int, int, int, int]:
        return self.time, self.partition, self.offset, self.digest

    def encode(self) -> str:
        return _encode("l", self.time, self.partition, self.offset, self.digest, self.seen)

    @classmethod
    def decode(cls, text: str) -> "LogCursor":
        """Raises InvalidCursor."""
        time, partition, offset, digest, seen = _decode(text, "l", int, int, int, int, int)
        limits = ((time, _INT64), (partition, 2**32), (offset, _UINT64), (digest, _UINT64), (seen, _INT64))
        if any(not 0 <= value < limit for value, limit in limits):
            raise _not_ours()
        return cls(time, partition, offset, digest, seen)


@dataclass(frozen=True, slots=True)
class PointCursor:
    """Data points from this key upwards, without the first `seen` of those that have this very key."""

    service: str
    series: int
    time: int
    seen: int

    def encode(self) -> str:
        return _encode("p", self.service, self.series, self.time, self.seen)

    @classmethod
    def decode(cls, text: str) -> "PointCursor":
        """Raises InvalidCursor."""
        service, series, time, seen = _decode(text, "p", str, int, int, int)
        if any(not 0 <= value < limit for value, limit in ((series, _UINT64), (time, _INT64), (seen, _INT64))):
            raise _not_ours()
        return cls(service, series, time, seen)


@dataclass(frozen=True, slots=True)
class PageCursor:
    """The first `offset` entries of a list that has one order for one range were given."""

    offset: int

    def encode(self) -> str:
        return _encode("o", self.offset)

    @classmethod
    def decode(cls, text: str) -> "PageCursor":
        """Raises InvalidCursor."""
        (offset,) = _decode(text, "o", int)
        if not 0 < offset <= MAX_OFFSET:
            raise _not_ours()
        return cls(offset)


def _encode(*parts: int | str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def _decode(text: str, kind: str, *types: type) -> list[Any]:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):  # UnicodeEncodeError and orjson's error are ValueErrors
        raise _not_ours() from None
    if not isinstance(parts, list) or [type(part) for part in parts] != [str, *types] or parts[0] != kind:
        raise _not_ours()
    return parts[1:]


def _is_hex(text: str) -> bool:
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False


def _not_ours() -> InvalidCursor:
    return InvalidCursor("The cursor is not one that this endpoint gave. Leave it out to start from the beginning.")
