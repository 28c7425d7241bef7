"""The store's own reading of OTLP against opentelemetry-proto, so that a new version of it cannot bring fields that are dropped."""

import re
from typing import Any

import pytest

from services.ingestion.otlp import EXPORT_SERVICES, LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from services.ingestion.otlp_decoding import STRUCTURES, format_schema

REQUESTS = {
    TRACE_SERVICE.path: ("TraceRequest", "TRACE_REQUEST"),
    LOGS_SERVICE.path: ("LogRequest", "LOG_REQUEST"),
    METRICS_SERVICE.path: ("MetricRequest", "METRIC_REQUEST"),
}
# For profiles only; OTLP asks receivers of other signals to treat them as absent.
PROFILES_ONLY = {"string_value_strindex", "key_strindex"}
# Kept undecoded, and read by opentelemetry-proto itself.
OPAQUE = {"array_value", "kvlist_value", "entity_refs"}
_TOKEN = re.compile(r"message (\w+) \{|oneof \w+ \{|(?:optional |repeated )?(\w+) (\w+) = (\d+);|\}")


def declared() -> dict[str, dict[int, tuple[str, str]]]:
    """Messages of otlp.proto: (name, type) of their fields by number."""
    messages: dict[str, dict[int, tuple[str, str]]] = {}
    open_blocks: list[str] = []
    for token in _TOKEN.finditer(format_schema()):
        message, type_, name, number = token.groups()
        if message:
            messages[message] = {}
            open_blocks.append(message)
        elif number:
            owner = next(block for block in reversed(open_blocks) if block)
            messages[owner][int(number)] = (name, type_)
        elif token[0] == "}":
            open_blocks.pop()
        else:
            open_blocks.append("")
    return messages


@pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)
def test_every_field_of_otlp_is_read_by_the_store(service: ExportService) -> None:
    ours = declared()
    request, structure = REQUESTS[service.path]
    seen: set[str] = set()

    def compare(descriptor: Any, name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        for field in descriptor.fields:
            if field.name in PROFILES_ONLY:
                continue
            assert field.number in ours[name], f"{descriptor.full_name}.{field.name} is dropped"
            declared_name, type_ = ours[name][field.number]
            assert declared_name == field.name
            assert re.search(rf"\b{field.name}\b", STRUCTURES[structure]), (
                f"{descriptor.full_name}.{field.name} is not stored"
            )
            if field.name in OPAQUE:
                assert type_ == "bytes"
            elif field.message_type is not None:
                compare(field.message_type, type_)

    compare(service.request.DESCRIPTOR, request)
    assert len(seen) > 5
