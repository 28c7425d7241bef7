"""JSON text as senders really write it, read so that one damaged string does not cost its neighbours."""

import codecs
import contextlib
import re
from typing import Any

import orjson

from services.ingestion.errors import MalformedTelemetry

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]+")  # what "surrogateescape" makes of bytes that are no UTF-8


class NotUtf8:
    """Stands where a string stood that has bytes which are no UTF-8."""


NOT_UTF8 = NotUtf8()


def read_document(body: bytes) -> Any:
    """The parsed document, with NOT_UTF8 for strings that are none. Raises MalformedTelemetry."""
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # JavaScript writes half a surrogate pair, left when a text was cut, as an escape; UTF-8 has no bytes for it.
        if "surrogate" in str(error) and b"\\u" in body:
            with contextlib.suppress(orjson.JSONDecodeError):
                return orjson.loads(_without_half_pairs(body))
        if "UTF-8" in str(error) or not _is_utf8(body):
            with contextlib.suppress(orjson.JSONDecodeError):
                return _marked(body)
        hint = ""
        if body[:2] == b"\x1f\x8b":
            hint = " It looks gzipped: send Content-Encoding: gzip."
        elif body[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} or b"\0" in body[:2]:
            hint = " It looks like UTF-16: send UTF-8."
        raise MalformedTelemetry(f"The body is not JSON: {error}.{hint}") from None


def _without_half_pairs(body: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found["half"] else found[0], body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _marked(body: bytes) -> Any:
    """The document with NOT_UTF8 for strings that are none, so that they are found where they stand."""
    text = body.decode("utf-8", "surrogateescape")
    mark = next(mark for mark in map(chr, range(0xFDD0, 0xFDF0)) if mark not in text)  # characters without a meaning
    document = orjson.loads(_without_half_pairs(_ESCAPED_BYTES.sub(mark, text).encode()))
    return _replaced(document, mark)


def _replaced(value: Any, mark: str) -> Any:
    if type(value) is str:
        return NOT_UTF8 if mark in value else value
    if type(value) is list:
        return [_replaced(element, mark) for element in value]
    if type(value) is dict:
        return {key: _replaced(inner, mark) for key, inner in value.items()}
    return value
