CREATE MATERIALIZED VIEW airis.red_1m_mv TO airis.red_1m
(
    `tenant` LowCardinality(String),
    `time` DateTime('UTC'),
    `service` LowCardinality(String),
    `operation` LowCardinality(String),
    `kind` Int32,
    `is_entry` UInt8,
    `request_count` UInt64,
    `error_count` UInt64,
    `duration_sum_nano` Float64,
    `duration_quantiles` AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Int64)
)
AS SELECT
    tenant,
    toStartOfMinute(toDateTime(spans.time, 'UTC')) AS time,
    service,
    name AS operation,
    kind,
    (kind IN (2, 5)) OR (parent_span_id = '') AS is_entry,
    count() AS request_count,
    countIf(status_code = 2) AS error_count,
    sum(toFloat64(greatest(duration_nano, 0))) AS duration_sum_nano,
    quantilesTDigestState(0.5, 0.9, 0.95, 0.99)(greatest(duration_nano, 0)) AS duration_quantiles
FROM airis.spans
GROUP BY
    tenant,
    time,
    service,
    operation,
    kind,
    is_entry
