CREATE MATERIALIZED VIEW airis.red_1h_mv TO airis.red_1h
(
    `tenant` LowCardinality(String),
    `time` DateTime('UTC'),
    `service` LowCardinality(String),
    `operation` LowCardinality(String),
    `kind` Int32,
    `is_entry` Bool,
    `request_count` UInt64,
    `error_count` UInt64,
    `duration_sum_nano` Float64,
    `duration_quantiles` AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Int64)
)
AS SELECT
    tenant,
    toStartOfHour(red_1m.time) AS time,
    service,
    operation,
    kind,
    is_entry,
    sum(red_1m.request_count) AS request_count,
    sum(red_1m.error_count) AS error_count,
    sum(red_1m.duration_sum_nano) AS duration_sum_nano,
    quantilesTDigestMergeState(0.5, 0.9, 0.95, 0.99)(red_1m.duration_quantiles) AS duration_quantiles
FROM airis.red_1m
GROUP BY
    tenant,
    time,
    service,
    operation,
    kind,
    is_entry
