"""What a pipeline counts, whatever its sinks. `signal` is the sink's name."""

from libs.common.metrics import Metrics, counter, gauge, histogram

FRESHNESS_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class WriterMetrics(Metrics):
    """Metrics of one process that writes from the bus into a store."""

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
    counted = counter(
        "airis_writer_counted_batches_total",
        "Batches whose token the store may have forgotten, so that it was asked what it has before anything was inserted.",
        unit="batches",
        labels=("signal",),
    )
    unreconciled = counter(
        "airis_writer_unreconciled_total",
        "Records whose stored rows differ from the rows sent, or could not be counted.",
        unit="records",
        labels=("signal",),
    )
    gap_records = counter(
        "airis_writer_gap_records_total",
        "Records that left the bus before they were read.",
        unit="records",
        labels=("topic",),
    )
    held = gauge("airis_writer_held_bytes", "Records read and not stored yet, and bodies of inserts.", unit="bytes")
