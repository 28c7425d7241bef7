"""Answers against google.protobuf.json_format and the generated messages."""

import orjson
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from libs.common.errors import AirisError, BusUnavailable, PayloadTooLarge, RateLimited, Unauthenticated
from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import EXPORT_SERVICES, ExportService
from services.ingestion.receivers.failures import failure_json, rpc_status
from services.ingestion.receivers.otlp.answers import success_json, success_protobuf
from services.ingestion.receivers.protocol import CLEAN, Outcome

each_service = pytest.mark.parametrize("service", EXPORT_SERVICES, ids=lambda service: service.signal.name)


@each_service
@pytest.mark.parametrize("outcome", [CLEAN, Outcome(3, "three are bad"), Outcome(0, "odd times")])
def test_both_forms_of_success_say_the_same(service: ExportService, outcome: Outcome) -> None:
    response = service.response.FromString(success_protobuf(service, outcome))
    assert orjson.loads(success_json(service, outcome)) == json_format.MessageToDict(response)
    assert response.HasField("partial_success") == (outcome != CLEAN)
    assert getattr(response.partial_success, service.rejected_field) == outcome.rejected
    assert response.partial_success.error_message == outcome.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MalformedTelemetry("x"), 3),
        (Unauthenticated("x"), 16),
        (PayloadTooLarge("x"), 8),
        (RateLimited("x", retry_after=2.5), 8),
        (BusUnavailable("x"), 14),
        (AirisError("x"), 13),
    ],
)
def test_an_error_is_a_status_with_its_id_and_when_to_come_back(error: AirisError, code: int) -> None:
    status = rpc_status(error)
    info, retry = ErrorInfo(), RetryInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message) == (code, error.detail)
    assert info.reason == error.id.upper().replace("-", "_")
    assert len(status.details) == 1 + (error.retry_after is not None)
    if error.retry_after is not None:
        assert status.details[1].Unpack(retry)
        assert retry.retry_delay.ToTimedelta().total_seconds() == error.retry_after


def test_an_error_in_json_is_a_status_and_a_problem() -> None:
    document = orjson.loads(failure_json(MalformedTelemetry("no"), "/v1/traces", "r1"))
    assert document == {
        "code": 3,
        "message": "no",
        "type": "urn:airis:error:malformed-telemetry",
        "title": "Malformed telemetry",
        "status": 400,
        "detail": "no",
        "instance": "/v1/traces",
        "request_id": "r1",
    }
    assert json_format.ParseDict(document, Status(), ignore_unknown_fields=True) == Status(code=3, message="no")
