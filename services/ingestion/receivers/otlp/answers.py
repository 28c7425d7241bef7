"""Successes in OTLP's forms. Source: OTLP 1.x, "OTLP/HTTP Response", "Partial Success"."""

from typing import Any

import orjson

from services.ingestion.otlp import ExportService
from services.ingestion.receivers.protocol import Outcome


def success_protobuf(service: ExportService, outcome: Outcome) -> bytes:
    """An ExportXServiceResponse; no bytes at all when everything was accepted."""
    if not outcome.rejected and not outcome.message:
        return b""
    partial = {service.rejected_field: outcome.rejected, "error_message": outcome.message}
    return service.response(partial_success=partial).SerializeToString()


def success_json(service: ExportService, outcome: Outcome) -> bytes:
    """The same in proto3 JSON, where 64-bit integers are strings and zeros are left out."""
    if not outcome.rejected and not outcome.message:
        return b"{}"
    partial: dict[str, Any] = {"errorMessage": outcome.message}
    if outcome.rejected:
        head, *tail = service.rejected_field.split("_")
        partial[head + "".join(word.capitalize() for word in tail)] = str(outcome.rejected)
    return orjson.dumps({"partialSuccess": partial})
