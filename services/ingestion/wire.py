"""Protobuf's wire format, read without a schema: cut a message into smaller ones, or find where it is broken.

Nothing here runs for a request of ordinary size that is well formed. Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from services.ingestion.envelopes import varint

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_DEPTH = 100  # upb's own limit
# A diagnosis is a courtesy; a hostile body must not buy more than some 50 ms with it.
_DIAGNOSED_FIELDS = 100_000
# Nor more with a rescue, which parses each record; SDKs and collectors send some thousand at once.
_SALVAGED_FIELDS = 20_000


class WireFault(Exception):
    """The bytes are no protobuf message. `offset` is counted from the start of the outermost message."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at byte {offset}")
        self.offset = offset


class Field(NamedTuple):
    """One field: its number, wire type, where its tag starts, and where its value (without length) starts and ends."""

    number: int
    wire_type: int
    start: int
    value: int
    end: int


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`, in order. Raises WireFault."""
    position = start
    while position < end:
        tag, value = read_varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == LENGTH_DELIMITED:
            length, value = read_varint(data, value, end)
            stop = value + length
        elif wire_type == VARINT:
            _, stop = read_varint(data, value, end)
        elif wire_type in _FIXED_SIZES:
            stop = value + _FIXED_SIZES[wire_type]
        else:
            raise WireFault(f"wire type {wire_type} does not occur in OTLP", position)
        if not number:
            raise WireFault("field number 0", position)
        if stop > end:
            raise WireFault("message ends inside a field", end)
        yield Field(number, wire_type, position, value, stop)
        position = stop


def read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """(value, position after it). Raises WireFault."""
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise WireFault("varint longer than 10 bytes", position)
    raise WireFault("message ends inside a field", end)


class Parts(NamedTuple):
    """A cut message: `messages` hold every record once, but for `dropped` records that fit no message of the asked size."""

    messages: list[bytes]
    dropped: int


def cut(data: bytes, path: Sequence[frozenset[int]], limit: int) -> Parts:
    """Cut a message into messages of at most `limit` bytes. Raises WireFault.

    `path` are the field numbers from the message down to one record. Fields beside the path (resource, scope, schema URL,
    a metric's name and unit) are repeated in each part. What lies inside a record is not looked at.
    """
    return _cut(data, 0, len(data), path, limit)


def _cut(data: bytes, start: int, end: int, path: Sequence[frozenset[int]], limit: int) -> Parts:
    beside: list[bytes] = []
    beside_size = 0
    below: list[Field] = []
    for field in fields(data, start, end):
        if field.wire_type == LENGTH_DELIMITED and field.number in path[0]:
            below.append(field)
        else:
            beside.append(data[field.start : field.end])
            beside_size += field.end - field.start
    room = limit - beside_size
    if room < limit // 2:
        # The parts would be mostly repetition, and many: a resource of half a part's size is no resource.
        return Parts([], sum(_count(data, field, path[1:]) for field in below))
    parts, part, size, dropped = [], list(beside), 0, 0
    for field in below:
        whole = field.end - field.start
        if whole <= room:
            pieces = [data[field.start : field.end]]
        elif len(path) == 1:
            dropped += 1
            continue
        else:
            # The tag and a length of at most 5 bytes come on top of each inner part.
            inner = _cut(data, field.value, field.end, path[1:], room - (field.value - field.start) - 5)
            dropped += inner.dropped
            pieces = [nested(field.number, message) for message in inner.messages]
        for piece in pieces:
            if size and size + len(piece) > room:
                parts.append(b"".join(part))
                part, size = list(beside), 0
            part.append(piece)
            size += len(piece)
    if size:
        parts.append(b"".join(part))
    return Parts(parts, dropped)


class Part(NamedTuple):
    """A message and how many records it holds."""

    message: bytes
    records: int


def spread(data: bytes, path: Sequence[frozenset[int]], most: int) -> list[Part]:
    """The records of a message in messages of at most `most`, so that no more share one copy of what lies beside them.

    Raises WireFault.
    """
    return _spread(data, 0, len(data), path, most)


def _spread(data: bytes, start: int, end: int, path: Sequence[frozenset[int]], most: int) -> list[Part]:
    beside: list[bytes] = []
    pieces: list[Part] = []
    for field in fields(data, start, end):
        if field.wire_type != LENGTH_DELIMITED or field.number not in path[0]:
            beside.append(data[field.start : field.end])
        elif len(path) == 1:
            pieces.append(Part(data[field.start : field.end], 1))
        else:
            inner = _spread(data, field.value, field.end, path[1:], most)
            pieces += [Part(nested(field.number, part.message), part.records) for part in inner]
    return [
        Part(b"".join((*beside, *(piece.message for piece in group))), sum(piece.records for piece in group))
        for group in _groups(pieces, lambda piece: piece.records, most)
    ]


def joined(parts: Iterable[Part], limit: int) -> list[Part]:
    """Parts written one after the other, which makes one message of them, up to `limit` bytes."""
    return [
        Part(b"".join(part.message for part in group), sum(part.records for part in group))
        for group in _groups(parts, lambda part: len(part.message), limit)
    ]


def _groups(parts: Iterable[Part], size: Callable[[Part], int], limit: int) -> Iterator[list[Part]]:
    """Neighbours whose sizes add up to `limit` at most, but for single parts that are larger."""
    group: list[Part] = []
    total = 0
    for part in parts:
        if group and total + size(part) > limit:
            yield group
            group, total = [], 0
        group.append(part)
        total += size(part)
    if group:
        yield group


def _count(data: bytes, field: Field, path: Sequence[frozenset[int]]) -> int:
    """Records below `field`."""
    if not path:
        return 1
    return sum(
        _count(data, inner, path[1:])
        for inner in fields(data, field.value, field.end)
        if inner.wire_type == LENGTH_DELIMITED and inner.number in path[0]
    )


def count(data: bytes, path: Sequence[frozenset[int]]) -> int:
    """Records that `path` leads to, as `cut` understands it; 0 when the way to them is broken."""
    try:
        return sum(
            _count(data, field, path[1:])
            for field in fields(data, 0, len(data))
            if field.wire_type == LENGTH_DELIMITED and field.number in path[0]
        )
    except WireFault:
        return 0


def salvage(data: bytes, path: Sequence[frozenset[int]], readable: Callable[[bytes], bool]) -> Parts | None:
    """A message that does not parse, without the records that are at fault. None when looking got too expensive.

    `readable` judges whole messages; it gets each record alone in the place it has, and each set of fields beside records.
    Records beside which such fields are at fault are dropped with them. Raises WireFault when the way to the records is broken.
    """
    return _Salvage(data, readable).run(path)


class _Salvage:
    def __init__(self, data: bytes, readable: Callable[[bytes], bool]) -> None:
        self._data = data
        self._readable = readable
        self._left = _SALVAGED_FIELDS

    def run(self, path: Sequence[frozenset[int]]) -> Parts | None:
        try:
            message, dropped, kept = self._message(0, len(self._data), path, ())
        except _TooExpensive:
            return None
        return Parts([message] if kept else [], dropped)

    def _message(
        self, start: int, end: int, path: Sequence[frozenset[int]], above: tuple[int, ...]
    ) -> tuple[bytes, int, int]:
        """(the message without records at fault, their number, number of records kept)."""
        data = self._data
        beside: list[Field] = []
        below: list[Field] = []
        for field in fields(data, start, end):
            self._left -= 1
            if self._left < 0:
                raise _TooExpensive
            on_path = field.wire_type == LENGTH_DELIMITED and field.number in path[0]
            (below if on_path else beside).append(field)
        pieces = [data[field.start : field.end] for field in beside]
        if pieces and not self._fits(b"".join(pieces), above):
            return b"", sum(_count(data, field, path[1:]) for field in below), 0
        dropped = kept = 0
        for field in below:
            if len(path) > 1:
                inner, inner_dropped, inner_kept = self._message(
                    field.value, field.end, path[1:], (*above, field.number)
                )
                dropped += inner_dropped
                kept += inner_kept
                if inner_kept:
                    pieces.append(nested(field.number, inner))
            elif self._fits(data[field.start : field.end], above):
                pieces.append(data[field.start : field.end])
                kept += 1
            else:
                dropped += 1
        return b"".join(pieces), dropped, kept

    def _fits(self, content: bytes, above: tuple[int, ...]) -> bool:
        for number in reversed(above):
            content = nested(number, content)
        return self._readable(content)


class _TooExpensive(Exception):
    """More fields than a courtesy may cost."""


def nested(number: int, message: bytes) -> bytes:
    """`message` as field `number` of another."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(len(message)) + message


def find_fault(data: bytes, descriptor: Any) -> str | None:
    """Where and why `data` is no message of this `descriptor`, for a human; None when it is, or when looking got too expensive.

    The path is in proto terms: `resource_spans[0].scope_spans[2].spans[7].name`.
    """
    return _Diagnosis(data).fault(0, len(data), descriptor, "", 0)


class _Diagnosis:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _DIAGNOSED_FIELDS

    def fault(self, start: int, end: int, descriptor: Any, path: str, depth: int) -> str | None:
        if depth > _MAX_DEPTH:
            return f"values are nested deeper than {_MAX_DEPTH} levels"
        seen: dict[int, int] = {}
        try:
            for field in fields(self._data, start, end):
                self._left -= 1
                if self._left < 0:
                    return None
                known: FieldDescriptor | None = descriptor.fields_by_number.get(field.number)
                if known is None or field.wire_type != LENGTH_DELIMITED:
                    continue
                here = f"{path}.{known.name}" if path else known.name
                if known.is_repeated:
                    index = seen.get(field.number, 0)
                    seen[field.number] = index + 1
                    here = f"{here}[{index}]"
                found = self._value_fault(field, known, here, depth)
                if found:
                    return found
        except WireFault as fault:
            return f"{path or 'the message'}: {fault}"
        return None

    def _value_fault(self, field: Field, known: FieldDescriptor, path: str, depth: int) -> str | None:
        if known.type == FieldDescriptor.TYPE_MESSAGE:
            return self.fault(field.value, field.end, known.message_type, path, depth + 1)
        if known.type == FieldDescriptor.TYPE_STRING:
            try:
                self._data[field.value : field.end].decode()
            except UnicodeDecodeError:
                return f"{path} (byte {field.value}) is not valid UTF-8"
        return None
