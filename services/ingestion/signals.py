"""The three signals and what each is called on the bus and in the store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: `topic` on the bus, `table` and `insert` statement (queries/<insert>.sql) in the store, `envelope` message."""

    name: str
    topic: str
    table: str
    insert: str
    envelope: str


TRACES = Signal("traces", "telemetry.traces", "spans", "insert_spans", "TraceEnvelope")
LOGS = Signal("logs", "telemetry.logs", "logs", "insert_logs", "LogEnvelope")
METRICS = Signal("metrics", "telemetry.metrics", "metric_points", "insert_metric_points", "MetricEnvelope")

SIGNALS = (TRACES, LOGS, METRICS)
BY_TOPIC = {signal.topic: signal for signal in SIGNALS}

DEAD_LETTERS_TOPIC = "telemetry.dead_letters"

# Headers of a telemetry record, written by the receiver and read by the writer.
TENANT_HEADER = "tenant"
RECEIVED_AT_HEADER = "received_at"  # unix nanoseconds, decimal
RECORDS_HEADER = "records"  # spans, log records or data points in the payload, decimal
KEY_ID_HEADER = "key_id"  # the API key it was sent with, without its secret
REQUEST_ID_HEADER = "request_id"
