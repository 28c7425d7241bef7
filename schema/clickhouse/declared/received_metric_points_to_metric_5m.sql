CREATE MATERIALIZED VIEW airis.received_metric_points_to_metric_5m TO airis.metric_5m
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC'),
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `series` UInt64,
    `point_count` UInt64,
    `value_sum` Float64,
    `value_min` Float64,
    `value_max` Float64,
    `count_sum` UInt64,
    `first` Tuple(
        DateTime64(9, 'UTC'),
        UInt64,
        Float64,
        UInt64,
        Array(Float64),
        Array(UInt64)),
    `last` Tuple(
        DateTime64(9, 'UTC'),
        UInt64,
        Float64,
        UInt64,
        Array(Float64),
        Array(UInt64)),
    `buckets` Tuple(
        Array(Float64),
        Array(UInt64))
)
AS WITH
    multiIf(received_metric_points.value_type = 'int', toFloat64(received_metric_points.value_int), received_metric_points.value_type = 'double', received_metric_points.value_double, ifNull(received_metric_points.sum, 0.)) AS value,
    arrayConcat(arrayResize(received_metric_points.explicit_bounds, greatest(length(received_metric_points.bucket_counts), 1) - 1, inf), if(empty(received_metric_points.bucket_counts), CAST('[]', 'Array(Float64)'), [inf])) AS explicit_uppers,
    exp2(-received_metric_points.scale) AS step,
    arrayConcat(explicit_uppers, arrayReverse(arrayMap(i -> (-exp2(((received_metric_points.negative_offset + i) - 1) * step)), arrayEnumerate(received_metric_points.negative_bucket_counts))), if(received_metric_points.zero_count > 0, [received_metric_points.zero_threshold], CAST('[]', 'Array(Float64)')), arrayMap(i -> exp2((received_metric_points.positive_offset + i) * step), arrayEnumerate(received_metric_points.positive_bucket_counts))) AS uppers,
    arrayConcat(received_metric_points.bucket_counts, arrayReverse(received_metric_points.negative_bucket_counts), if(received_metric_points.zero_count > 0, [received_metric_points.zero_count], CAST('[]', 'Array(UInt64)')), received_metric_points.positive_bucket_counts) AS upper_counts,
    (received_metric_points.time, received_metric_points.start_time_unix_nano, value, received_metric_points.count, uppers, upper_counts) AS state
SELECT
    tenant,
    retention_days,
    toStartOfFiveMinutes(toDateTime(received_metric_points.time, 'UTC')) AS time,
    name,
    service,
    series,
    count() AS point_count,
    sum(value) AS value_sum,
    min(value) AS value_min,
    max(value) AS value_max,
    sum(received_metric_points.count) AS count_sum,
    min(state) AS first,
    max(state) AS last,
    sumMap((uppers, upper_counts)) AS buckets
FROM airis.received_metric_points
WHERE (bitAnd(flags, 1) = 0) AND ((value_type != 'none') OR (type IN ('histogram', 'exponential_histogram', 'summary')))
GROUP BY
    tenant,
    retention_days,
    time,
    name,
    service,
    series
