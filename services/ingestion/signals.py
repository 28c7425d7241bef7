"""The three signals and what each is called on the bus."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: `topic` on the bus, `insert` statement (queries/<insert>.sql), `envelope` message that it reads."""

    name: str
    topic: str
    insert: str
    envelope: str


TRACES = Signal("traces", "telemetry.traces", "insert_spans", "TraceEnvelope")
LOGS = Signal("logs", "telemetry.logs", "insert_logs", "LogEnvelope")
METRICS = Signal("metrics", "telemetry.metrics", "insert_metric_points", "MetricEnvelope")

SIGNALS = (TRACES, LOGS, METRICS)
BY_TOPIC = {signal.topic: signal for signal in SIGNALS}

DEAD_LETTERS_TOPIC = "telemetry.dead_letters"

# Headers of a telemetry record, written by the receiver and read by the writer.
TENANT_HEADER = "tenant"
RECEIVED_AT_HEADER = "received_at"  # unix nanoseconds, decimal
RECORDS_HEADER = "records"  # spans, log records or data points in the payload, decimal
KEY_ID_HEADER = "key_id"  # the API key it was sent with, without its secret
REQUEST_ID_HEADER = "request_id"
