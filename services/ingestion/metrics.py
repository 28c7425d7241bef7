"""What the receiver counts; the writer's are those of libs.common.pipeline. Every name stands in contracts/telemetry/metrics.yaml too."""

from collections.abc import Sequence

from libs.common.metrics import Metrics, counter, gauge, histogram


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
