"""Elements of arrays and maps, found in their encoding.

The store keeps what is neither string, number nor boolean as it was sent: an ArrayValue or KeyValueList message of OTLP behind
a tag byte (schema 0001). An element equal to a value has one encoding in there, so it is found by its bytes. A string that
holds those very bytes (a line feed and the right length in front of the right text) would be found as well.
"""

import struct

from libs.common.query.literals import Boolean, Literal, Number

_KEY, _VALUE, _ELEMENT = b"\x0a", b"\x12", b"\x0a"


def elements(value: Literal) -> list[bytes]:
    """Encodings of array elements that equal the value: as the string it was written as, and as number or boolean."""
    return [_ELEMENT + _sized(encoded) for encoded in _any_values(value)]


def entries(key: str, value: Literal) -> list[bytes]:
    """Encodings of map entries of that key that equal the value."""
    return [entry_start(key) + _sized(encoded) for encoded in _any_values(value)]


def entry_start(key: str) -> bytes:
    """What the encoding of a map entry of that key begins with."""
    return _KEY + _sized(key.encode()) + _VALUE


def values_anywhere(text: str) -> list[bytes]:
    """Encodings of the number or boolean that the text is, as any element or entry; strings are found by their text."""
    found: list[bytes] = []
    if text in {"true", "false"}:
        found.append(_sized(_boolean(text == "true")))
    elif text.lstrip("+-").isdecimal() and -(2**63) <= int(text) < 2**63:
        found.append(_sized(_integer(int(text))))
    return found


def _any_values(value: Literal) -> list[bytes]:
    encoded = [b"\x0a" + _sized(value.text.encode())]
    match value:
        case Number(number):
            if float(number).is_integer() and -(2**63) <= int(number) < 2**63:
                encoded.append(_integer(int(number)))
            encoded.append(b"\x21" + struct.pack("<d", number))
        case Boolean(truth):
            encoded.append(_boolean(truth))
    return encoded


def _boolean(value: bool) -> bytes:
    return b"\x10\x01" if value else b"\x10\x00"


def _integer(value: int) -> bytes:
    return b"\x18" + _varint(value % 2**64)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
