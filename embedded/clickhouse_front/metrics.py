"""Metrics of the front."""

from __future__ import annotations

from libs.common.metrics import Metrics, counter, gauge, histogram


class FrontMetrics(Metrics):
    requests = counter(
        "airis_clickhouse_front_requests_total", "Requests answered.", unit="requests", labels=("lane", "status")
    )
    duration = histogram(
        "airis_clickhouse_front_duration_seconds", "From request to answer.", unit="seconds", labels=("lane",)
    )
    waiting = gauge(
        "airis_clickhouse_front_waiting", "Statements waiting for a lane.", unit="statements", labels=("lane",)
    )
    running = gauge("airis_clickhouse_front_running", "Statements running.", unit="statements", labels=("lane",))
    sent = counter("airis_clickhouse_front_sent_bytes_total", "Response bytes sent.", unit="bytes")
    held = gauge("airis_clickhouse_front_held_bytes", "Request bodies held in memory.", unit="bytes")
    engine_memory = gauge("airis_clickhouse_engine_memory_bytes", "Memory the engine accounts for.", unit="bytes")
    resident_memory = gauge("airis_clickhouse_resident_memory_bytes", "Resident memory of the process.", unit="bytes")
