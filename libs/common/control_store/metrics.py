"""What the control store costs us, from our side of the wire."""

from libs.common.metrics import Metrics, counter, histogram


class ControlStoreMetrics(Metrics):
    duration = histogram(
        "airis_control_store_duration_seconds",
        "Time of one transaction, by its name and outcome (ok, cancelled or an error id); tries after conflicts included.",
        unit="seconds",
        labels=("transaction", "outcome"),
    )
    retries = counter(
        "airis_control_store_retries_total",
        "Transactions begun again because another one changed what they had read, or held what they wanted.",
        unit="transactions",
        labels=("transaction",),
    )
