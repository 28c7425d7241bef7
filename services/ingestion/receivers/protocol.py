"""What makes a protocol: the endpoints where it is reached, how a body becomes OTLP, and what its senders are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from libs.common.errors import AirisError
from services.ingestion.otlp import ExportService


class Decoded(NamedTuple):
    """A request as OTLP protobuf, without the `unreadable` records; `fault` says where and why the first cannot be read.

    `untaken` names what else was left out, "" when nothing was; `legacy` counts records in a form that is no longer read.
    `normal` says that the body is as upb would write it.
    """

    body: bytes
    unreadable: int = 0
    fault: str = ""
    untaken: str = ""
    legacy: int = 0
    normal: bool = False


class Outcome(NamedTuple):
    """The answer to an accepted request: records refused, and a message about them or about what looks wrong."""

    rejected: int
    message: str


CLEAN = Outcome(0, "")


def already_otlp(_: ExportService, body: bytes) -> Decoded:
    """Decodes what is OTLP protobuf as it came."""
    return Decoded(body)


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a protocol's requests and answers.

    `decode` raises MalformedTelemetry. Bodies over `inline_bytes` are decoded in a thread, over `max_bytes` not at all.
    `failure` gets the error, the path and the request's id.
    """

    media_type: str
    decode: Callable[[ExportService, bytes], Decoded]
    success: Callable[[ExportService, Outcome], bytes]
    failure: Callable[[AirisError, str, str], bytes]
    inline_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place where requests of one signal arrive: `path` over HTTP, `method` over gRPC ("" where there is none).

    `service` is the form of OTLP into which requests are decoded. gRPC speaks the format called "grpc".
    """

    service: ExportService
    path: str
    method: str
    formats: Mapping[str, Format]
