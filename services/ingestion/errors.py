"""What ingestion adds to the error tree (libs/common/errors.py)."""

from libs.common.errors import RequestError, Unavailable


class MalformedTelemetry(RequestError):
    """400. The body is not the OTLP message it claims to be. A sender must not retry it (OTLP 1.x, "Bad Data")."""

    id = "malformed-telemetry"
    title = "Malformed telemetry"


class ReceiverOverloaded(Unavailable):
    """503. As many bytes are in flight as this process may hold; the sender keeps its data and comes back."""

    id = "receiver-overloaded"
    title = "Receiver is at its limit"
