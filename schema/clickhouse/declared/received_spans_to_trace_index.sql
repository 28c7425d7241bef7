CREATE MATERIALIZED VIEW airis.received_spans_to_trace_index TO airis.trace_index
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `day` Date,
    `trace_id` String,
    `first_time` DateTime('UTC'),
    `last_time` DateTime('UTC')
)
AS SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    trace_id,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM airis.received_spans
GROUP BY
    tenant,
    retention_days,
    day,
    trace_id
