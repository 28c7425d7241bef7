CREATE MATERIALIZED VIEW airis.trace_index_mv TO airis.trace_index
(
    `tenant` LowCardinality(String),
    `day` Date,
    `trace_id` String,
    `first_time` DateTime('UTC'),
    `last_time` DateTime('UTC')
)
AS SELECT
    tenant,
    toDate(time) AS day,
    trace_id,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM airis.spans
GROUP BY
    tenant,
    day,
    trace_id
