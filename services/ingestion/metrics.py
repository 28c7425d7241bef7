"""What the ingestion roles count. Every name stands in contracts/telemetry/metrics.yaml too."""

from collections.abc import Sequence

from libs.common.metrics import Metrics, counter, gauge, histogram

FRESHNESS_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class WriterMetrics(Metrics):
    """Metrics of the writer."""

    rows = counter("airis_writer_rows_total", "Rows the store confirmed.", unit="rows", labels=("signal",))
    batches = counter("airis_writer_batches_total", "Batches the store confirmed.", unit="batches", labels=("signal",))
    bytes = counter("airis_writer_payload_bytes_total", "Payload of stored batches.", unit="bytes", labels=("signal",))
    insert_seconds = histogram(
        "airis_writer_insert_duration_seconds", "Time of one INSERT.", unit="seconds", labels=("signal",)
    )
    freshness = histogram(
        "airis_writer_freshness_seconds",
        "From received to queryable, for the oldest record of each batch.",
        unit="seconds",
        labels=("signal",),
        buckets=FRESHNESS_BUCKETS,
    )
    retries = counter(
        "airis_writer_retries_total", "Tries again after a dependency failed.", unit="tries", labels=("reason",)
    )
    dead_letters = counter(
        "airis_writer_dead_letters_total", "Records set apart as unreadable.", unit="records", labels=("signal",)
    )
    holes = counter(
        "airis_writer_holes_total", "Records found missing after an uncertain insert and inserted again.", unit="records",
        labels=("signal",),
    )  # fmt: skip
    unreconciled = counter(
        "airis_writer_unreconciled_total", "Records whose stored rows differ from the rows sent.", unit="records",
        labels=("signal",),
    )  # fmt: skip
    gap_records = counter(
        "airis_writer_gap_records_total",
        "Records that left the bus before they were read.",
        unit="records",
        labels=("topic",),
    )


class ReceiverMetrics(Metrics):
    """Metrics of the receiver. `outcome` is "ok" or an error id."""

    requests = counter(
        "airis_receiver_requests_total",
        "Export requests answered.",
        unit="requests",
        labels=("protocol", "signal", "outcome"),
    )
    duration = histogram(
        "airis_receiver_request_duration_seconds",
        "From the request's head to its answer, which waits for the bus.",
        unit="seconds",
        labels=("protocol", "signal"),
    )
    bytes = counter(
        "airis_receiver_received_bytes_total",
        "Bodies of accepted requests, unpacked.",
        unit="bytes",
        labels=("signal",),
    )
    records = counter(
        "airis_receiver_records_total", "Spans, log records and data points put on the bus.", unit="records",
        labels=("signal",),
    )  # fmt: skip
    rejected = counter(
        "airis_receiver_rejected_records_total", "Records refused in a partial success.", unit="records",
        labels=("signal", "reason"),
    )  # fmt: skip
    odd_times = counter(
        "airis_receiver_odd_time_records_total", "Records kept although their own time is implausible.", unit="records",
        labels=("signal",),
    )  # fmt: skip
    in_flight = gauge("airis_receiver_in_flight_bytes", "Bytes of requests held now.", unit="bytes")


class RequestBook:
    """Requests of one protocol, booked on bound children: finding them by labels costs more than counting."""

    def __init__(self, metrics: ReceiverMetrics, protocol: str, signals: Sequence[str]) -> None:
        self._metrics = metrics
        self._protocol = protocol
        self._ok = {signal: metrics.requests.labels(protocol, signal, "ok") for signal in signals}
        self._durations = {signal: metrics.duration.labels(protocol, signal) for signal in signals}

    def book(self, signal: str, outcome: str, seconds: float) -> None:
        """One request answered; `outcome` is "ok" or an error id."""
        (self._ok[signal] if outcome == "ok" else self._metrics.requests.labels(self._protocol, signal, outcome)).inc()
        self._durations[signal].observe(seconds)
