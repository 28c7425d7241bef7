"""What workers report of themselves. `worker` is the declared name; a sharded worker's shards share one."""

from libs.common.metrics import Metrics, counter, gauge, histogram

# From a refresh to a day's rebuild.
_RUN_BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0)


class WorkerMetrics(Metrics):
    """Runs, their ends and their leases."""

    runs = counter(
        "airis_worker_runs_total",
        "Runs that ended: ok, failed (all tries), cancelled on request, interrupted by a stop, lost with the lease.",
        unit="runs",
        labels=("worker", "outcome"),
    )
    retries = counter(
        "airis_worker_retries_total", "Tries after a failure, within a run.", unit="tries", labels=("worker",)
    )
    duration = histogram(
        "airis_worker_run_duration_seconds",
        "Time of one run, its tries included.",
        unit="seconds",
        labels=("worker",),
        buckets=_RUN_BUCKETS,
    )
    last_success = gauge(
        "airis_worker_last_success_timestamp_seconds",
        "Unix time when a run of this process last ended well; 0 before the first.",
        unit="seconds",
        labels=("worker",),
    )
    lag = gauge(
        "airis_worker_lag_seconds",
        "How long after its time the latest run of this process began.",
        unit="seconds",
        labels=("worker",),
    )
    leases = gauge("airis_worker_leases", "Leases this process holds.", unit="leases", labels=("worker",))
    store_failures = counter(
        "airis_worker_store_failures_total",
        "Times the store of leases did not answer; jobs that need a lease wait meanwhile.",
        unit="failures",
        labels=("worker",),
    )
