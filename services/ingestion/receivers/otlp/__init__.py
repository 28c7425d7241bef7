"""OTLP, over HTTP in protobuf and JSON, and over gRPC. Source: OTLP 1.x, opentelemetry.io/docs/specs/otlp."""

from services.ingestion.otlp import EXPORT_SERVICES
from services.ingestion.receivers.failures import failure_json, failure_protobuf
from services.ingestion.receivers.otlp.answers import success_json, success_protobuf
from services.ingestion.receivers.otlp.json_documents import to_protobuf
from services.ingestion.receivers.protocol import Endpoint, Format, already_otlp

_NO_LIMIT = 2**63  # the receiver's own, on what is unpacked, comes first
_PROTOBUF = Format(
    "application/x-protobuf", already_otlp, success_protobuf, failure_protobuf,
    inline_bytes=_NO_LIMIT, max_bytes=_NO_LIMIT,
)  # fmt: skip
# In the event loop up to some 5 ms. Python objects made of JSON take up to 45 times its size, hence less than protobuf may have.
_JSON = Format(
    "application/json", to_protobuf, success_json, failure_json, inline_bytes=256 * 1024, max_bytes=16 * 1024**2
)
_FORMATS = {_PROTOBUF.media_type: _PROTOBUF, _JSON.media_type: _JSON, "grpc": _PROTOBUF}

ENDPOINTS = tuple(Endpoint(service, service.path, service.method, _FORMATS) for service in EXPORT_SERVICES)
