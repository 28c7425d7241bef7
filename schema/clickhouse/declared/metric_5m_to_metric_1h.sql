CREATE MATERIALIZED VIEW airis.metric_5m_to_metric_1h TO airis.metric_1h
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC'),
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `series` UInt64,
    `point_count` UInt64,
    `value_sum` Float64,
    `value_min` SimpleAggregateFunction(min, Float64),
    `value_max` SimpleAggregateFunction(max, Float64),
    `count_sum` UInt64,
    `first` SimpleAggregateFunction(min, Tuple(
        time DateTime64(9, 'UTC'),
        start_time_unix_nano UInt64,
        value Float64,
        count UInt64,
        bounds Array(Float64),
        counts Array(UInt64))),
    `last` SimpleAggregateFunction(max, Tuple(
        time DateTime64(9, 'UTC'),
        start_time_unix_nano UInt64,
        value Float64,
        count UInt64,
        bounds Array(Float64),
        counts Array(UInt64))),
    `buckets` Tuple(
        Array(Float64),
        Array(UInt64))
)
AS SELECT
    tenant,
    retention_days,
    toStartOfHour(metric_5m.time) AS time,
    name,
    service,
    series,
    sum(metric_5m.point_count) AS point_count,
    sum(metric_5m.value_sum) AS value_sum,
    min(metric_5m.value_min) AS value_min,
    max(metric_5m.value_max) AS value_max,
    sum(metric_5m.count_sum) AS count_sum,
    min(metric_5m.first) AS first,
    max(metric_5m.last) AS last,
    sumMap(metric_5m.buckets) AS buckets
FROM airis.metric_5m
GROUP BY
    tenant,
    retention_days,
    time,
    name,
    service,
    series
