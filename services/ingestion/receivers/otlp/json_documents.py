"""OTLP/JSON to protobuf, about eight times faster than google.protobuf.json_format and with OTLP's exceptions to it.

The exceptions: trace and span ids are hex, enums may only be integers (names are tolerated), unknown fields are ignored
(those of the request itself are named in the answer, because with them everything is ignored), lowerCamelCase keys are the
rule (snake_case is tolerated). Of a key given twice the last counts, as in most JSON parsers.
Source: OTLP 1.x "JSON Protobuf Encoding", proto3 JSON mapping.

A document becomes keyword arguments in one walk and upb messages in one call. The tables that steer the walk are made from
the descriptors, so a new field in opentelemetry-proto is a new dependency version and nothing here.
"""

import base64
import binascii
import contextlib
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, NoReturn

import orjson
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import EXPORT_SERVICES, ExportService
from services.ingestion.receivers.otlp.json_text import NotUtf8, read_document
from services.ingestion.receivers.protocol import Decoded

_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGER = re.compile(r"-?[0-9]{1,20}")
# The proto3 JSON mapping takes every form of a JSON number whose value is whole, quoted too.
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
_SPECIAL_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MAX_DEPTH = 100  # upb's own limit on messages in messages
_SHOWN_CHARACTERS = 100

Convert = Callable[[Any, int], Any]


class _Fault(Exception):
    """A value that cannot be. `path` grows from the inside out while the walk unwinds, which keeps it off the hot path."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.path: list[str | int] = []

    def __str__(self) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.path))
        return f"{steps.lstrip('.') or 'the document'} {self.args[0]}"


class _Member(NamedTuple):
    """How one JSON member is taken: the protobuf field's name, its converter, and the oneof it belongs to."""

    field: str
    convert: Convert
    oneof: str | None


def to_protobuf(service: ExportService, body: bytes) -> Decoded:
    """An OTLP/JSON request as protobuf bytes. Raises MalformedTelemetry that says what is wrong, and where."""
    document = read_document(body)
    untaken, legacy = _untaken(service, document)
    convert = _message(service.request.DESCRIPTOR)
    unreadable, first = 0, ""
    try:
        try:
            arguments = convert(document, 0)
        except _Fault as fault:
            first = str(fault)
            unreadable, kept = _take_out_faulty(document, service.request.DESCRIPTOR, service.record_path, 0)
            if not kept:
                raise
            arguments = convert(document, 0)
        body = service.request(**arguments).SerializeToString()
        return Decoded(body, unreadable, first, untaken, legacy, normal=True)
    except _Fault as fault:
        raise MalformedTelemetry(f"The body is no {service.request.DESCRIPTOR.name}: {first or fault}.") from None


def _untaken(service: ExportService, document: Any) -> tuple[str, int]:
    """What of the request is not taken, for a human, and how many records of a form that OTLP no longer has are in it.

    Raises MalformedTelemetry when nothing is taken of a request that has something.
    """
    if type(document) is not dict:
        return "", 0
    members = _members(service.request.DESCRIPTOR)
    unknown = [key for key in document if key not in members]
    remark = ""
    if unknown:
        shown = repr(unknown[0][:_SHOWN_CHARACTERS])
        owner = next((other for other in EXPORT_SERVICES if unknown[0] in _members(other.request.DESCRIPTOR)), None)
        where = (
            f"{shown} belongs to {owner.path}" if owner else f"{service.request.DESCRIPTOR.name} has no member {shown}"
        )
        if len(unknown) == len(document):
            (known,) = (field.json_name for field in service.request.DESCRIPTOR.fields)
            raise MalformedTelemetry(f"Nothing was taken: {where}. {service.path} takes {known!r}.")
        remark = f"{where}; it was not taken."
    return remark, _legacy_records(service, document)


def _legacy_records(service: ExportService, document: dict[str, Any]) -> int:
    """Records under the name that scopes had until OTLP 0.15, which 1.x does not know."""
    resources: Any = service.request.DESCRIPTOR.fields[0]
    groups: Any = resources.message_type.fields_by_number[2]
    records: Any = groups.message_type.fields_by_number[2]
    legacy = groups.json_name.replace("scope", "instrumentationLibrary")
    found = 0
    for element in _elements(document, resources.json_name, resources.name):
        if type(element) is dict:
            for group in _elements(element, legacy, groups.name.replace("scope", "instrumentation_library")):
                found += len(_elements(group, records.json_name, records.name)) if type(group) is dict else 0
    return found


def _elements(value: dict[str, Any], *names: str) -> list[Any]:
    found = next((value[name] for name in names if name in value), None)
    return found if type(found) is list else []


def _take_out_faulty(document: Any, descriptor: Any, path: Sequence[frozenset[int]], depth: int) -> tuple[int, int]:
    """Remove records that cannot be converted from where `path` leads; (removed, left)."""
    removed = left = 0
    for field in [descriptor.fields_by_number[number] for number in path[0]]:
        for key in {field.json_name, field.name} if type(document) is dict else ():
            found = document.get(key)
            elements = found if type(found) is list else [found]
            if len(path) > 1:
                for element in elements:
                    inner = _take_out_faulty(element, field.message_type, path[1:], depth + 1)
                    removed, left = removed + inner[0], left + inner[1]
            elif type(found) is list:
                document[key] = [element for element in found if _converts(field, element, depth + 1)]
                removed, left = removed + len(found) - len(document[key]), left + len(document[key])
    return removed, left


def _converts(field: Any, value: Any, depth: int) -> bool:
    try:
        _message(field.message_type)(value, depth)
    except _Fault:
        return False
    return True


@cache
def _members(descriptor: Any) -> dict[str, _Member]:
    table: dict[str, _Member] = {}
    for field in descriptor.fields:
        oneof = field.containing_oneof.name if field.containing_oneof else None
        member = _Member(field.name, _field_converter(field), oneof)
        table[field.json_name] = table[field.name] = member
    return table


def _field_converter(field: Any) -> Convert:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if field.is_repeated and field.message_type is KeyValue.DESCRIPTOR:
            return _key_values
        one = _message(field.message_type)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        one = _hex if field.name in _HEX_FIELDS else _base64
    elif field.type == FieldDescriptor.TYPE_ENUM:
        one = _enum(field.enum_type)
    elif field.type in _RANGES:
        one = _integer(*_RANGES[field.type])
    else:
        one = _SCALARS[field.type]
    return _repeated(one) if field.is_repeated else one


@cache
def _message(descriptor: Any) -> Convert:
    members: dict[str, _Member] = {}

    def convert(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not dict:
            raise _Fault(f"must be an object, not {_kind(value)}")
        if not members:  # made at first use, because messages contain themselves
            members.update(_members(descriptor))
        if depth > _MAX_DEPTH:
            raise _Fault(f"is nested deeper than {_MAX_DEPTH} messages")
        arguments: dict[str, Any] = {}
        chosen: tuple[str, ...] = ()
        key = ""
        try:
            for key, inner in value.items():
                member = members.get(key)
                if member is None or inner is None:
                    continue
                field, converter, oneof = member
                if field in arguments or oneof in chosen:
                    _refuse_second(field, oneof)
                if oneof is not None:
                    chosen = (*chosen, oneof)
                arguments[field] = converter(inner, depth + 1)
        except _Fault as fault:
            fault.path.append(key)
            raise
        return arguments

    return convert


def _refuse_second(field: str, oneof: str | None) -> NoReturn:
    if oneof is None or oneof.startswith("_"):
        raise _Fault(f"gives {field} twice, in lowerCamelCase and in snake_case")
    raise _Fault(f"stands beside another member of {oneof!r}, of which only one may be set")


def _repeated(convert: Convert) -> Convert:
    def convert_all(value: Any, depth: int) -> list[Any]:
        if type(value) is not list:
            raise _Fault(f"must be an array, not {_kind(value)}")
        converted: list[Any] = []
        try:
            for element in value:
                converted.append(convert(element, depth))  # noqa: PERF401 - its length is the index of a faulty element
        except _Fault as fault:
            fault.path.append(len(converted))
            raise
        return converted

    return convert_all


def _key_values(value: Any, depth: int) -> list[dict[str, Any]]:
    """Attributes: most of what there is in telemetry, so the common forms are taken without a table."""
    if type(value) is not list:
        raise _Fault(f"must be an array, not {_kind(value)}")
    converted: list[dict[str, Any]] = []
    try:
        for attribute in value:
            if type(attribute) is dict and len(attribute) == 2:
                key, given = attribute.get("key"), attribute.get("value")
                if type(key) is str and type(given) is dict and len(given) == 1:
                    ((kind, inner),) = given.items()
                    if kind == "stringValue" and type(inner) is str:
                        converted.append({"key": key, "value": {"string_value": inner}})
                        continue
                    if (
                        kind == "intValue"
                        and type(inner) is str
                        and len(inner) < 19
                        and inner.isdigit()
                        and inner.isascii()
                    ):
                        converted.append({"key": key, "value": {"int_value": int(inner)}})
                        continue
            converted.append(_message(KeyValue.DESCRIPTOR)(attribute, depth))
    except _Fault as fault:
        fault.path.append(len(converted))
        raise
    return converted


def _integer(lowest: int, highest: int) -> Callable[[Any, int], int]:
    def convert(value: Any, _depth: int) -> int:
        if type(value) is str and _INTEGER.fullmatch(value):
            number = int(value)
        elif type(value) is int:
            number = value
        elif type(value) is float and value.is_integer():
            number = int(value)
        elif (
            type(value) is str
            and _WHOLE_NUMBER.fullmatch(value)
            and (exact := Decimal(value)) == exact.to_integral_value()
        ):
            number = int(exact)
        else:
            raise _Fault(f"must be an integer or a string of decimal digits, not {_kind(value)}")
        if not lowest <= number <= highest:
            raise _Fault(f"is out of range ({lowest} to {highest})")
        return number

    return convert


def _enum(enum: Any) -> Convert:
    as_integer = _integer(*_RANGES[FieldDescriptor.TYPE_ENUM])
    names: dict[str, int] = {value.name: value.number for value in enum.values}

    def convert(value: Any, depth: int) -> int:
        if type(value) is str and value in names:
            return names[value]
        if type(value) is str and not _WHOLE_NUMBER.fullmatch(value):
            raise _Fault(f"must be an integer or a name of {enum.name}, not {_kind(value)}")
        return as_integer(value, depth)

    return convert


def _string(value: Any, _depth: int) -> str:
    if type(value) is not str:
        raise _Fault(f"must be a string, not {_kind(value)}")
    return value


def _bool(value: Any, _depth: int) -> bool:
    if type(value) is not bool:
        raise _Fault(f"must be true or false, not {_kind(value)}")
    return value


def _double(value: Any, _depth: int) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str:
        if value in _SPECIAL_DOUBLES:
            return _SPECIAL_DOUBLES[value]
        with contextlib.suppress(orjson.JSONDecodeError):
            number = orjson.loads(value)
            if type(number) is float or type(number) is int:
                return float(number)
    raise _Fault(f'must be a number, "NaN", "Infinity" or "-Infinity", not {_kind(value)}')


def _hex(value: Any, _depth: int) -> bytes:
    if type(value) is str:
        try:
            return binascii.unhexlify(value)
        except (binascii.Error, ValueError):
            pass
    raise _Fault(f"must be a string of hex digits, not {_kind(value)}")


def _base64(value: Any, _depth: int) -> bytes:
    if type(value) is str:
        # Both alphabets and missing padding are what the proto3 JSON mapping asks parsers to accept.
        standard = value.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise _Fault(f"must be a string of base64, not {_kind(value)}")


_SCALARS: dict[int, Convert] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_DOUBLE: _double,
}
_KINDS: dict[type, str] = {
    dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer", float: "a number",
    NotUtf8: "text that is not valid UTF-8",
}  # fmt: skip


def _kind(value: Any) -> str:
    """What stands there, never its text, which may be anybody's secret; for strings that should be numbers, "this string"."""
    if value is None:
        return "null"
    return "such a string" if type(value) is str else _KINDS.get(type(value), "that")
