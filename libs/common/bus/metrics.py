"""What the bus counts. `topic` and `group` are bounded by contracts/topics."""

from prometheus_client import CollectorRegistry

from libs.common.metrics import Metrics, counter, gauge, histogram


class BusMetrics(Metrics):
    """One instance per process and registry, shared by its producers and consumers."""

    send_duration = histogram(
        "airis_bus_send_duration_seconds",
        "From send to durable, waiting for room included; confirmed sends only.",
        unit="seconds",
        labels=("topic",),
    )
    sent_records = counter(
        "airis_bus_sent_records_total", "Records confirmed durable.", unit="records", labels=("topic",)
    )
    sent_bytes = counter(
        "airis_bus_sent_value_bytes_total",
        "Bytes of confirmed values, before compression.",
        unit="bytes",
        labels=("topic",),
    )
    send_errors = counter(
        "airis_bus_send_errors_total",
        "Sends that failed, by error id. The record may still have been written.",
        unit="errors",
        labels=("topic", "error"),
    )
    in_flight = gauge("airis_bus_in_flight_bytes", "Bytes handed to the transport and not confirmed.", unit="bytes")
    received_records = counter(
        "airis_bus_received_records_total", "Records returned by poll.", unit="records", labels=("topic", "group")
    )
    received_bytes = counter(
        "airis_bus_received_value_bytes_total",
        "Bytes of returned values, after decompression.",
        unit="bytes",
        labels=("topic", "group"),
    )
    lag = gauge(
        "airis_bus_consumer_lag_records",
        "Records between committed position and end, over the partitions of this process.",
        unit="records",
        labels=("topic", "group"),
    )
    gaps = counter(
        "airis_bus_gap_records_total",
        "Records that were gone before they were read.",
        unit="records",
        labels=("topic", "group"),
    )


def unexported_metrics() -> BusMetrics:
    """For callers that export nothing, such as commands and tests."""
    return BusMetrics(CollectorRegistry())
