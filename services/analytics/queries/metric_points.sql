-- Every field of the points between two keys; what they share is in metric_series. Points of one series at one time are told apart as log records are.
WITH cityHash64((
    time_shift, start_time_unix_nano, flags, value_type, value_double, value_int, count, sum, min, max, bucket_counts, explicit_bounds,
    scale, zero_count, zero_threshold, positive_offset, positive_bucket_counts, negative_offset, negative_bucket_counts,
    toString(quantile_values), toString(exemplars))) AS digest
SELECT
    toString(service) AS owner,
    series AS series_id,
    toUnixTimestamp64Nano(time) AS filed,
    type AS kind,
    start_time_unix_nano AS started,
    time_unix_nano AS sent,
    flags AS point_flags,
    value_type AS value_kind,
    value_double AS double_value,
    value_int AS int_value,
    count AS point_count,
    sum AS point_sum,
    min AS point_min,
    max AS point_max,
    bucket_counts AS buckets,
    explicit_bounds AS bounds,
    scale AS exponent_scale,
    zero_count AS zeros,
    zero_threshold AS zero_bound,
    positive_offset AS positive_start,
    positive_bucket_counts AS positive_buckets,
    negative_offset AS negative_start,
    negative_bucket_counts AS negative_buckets,
    arrayMap(q -> (q.quantile, q.value), metric_points.quantile_values) AS quantiles,
    arrayMap(
        e -> (
            e.time_unix_nano, lower(hex(e.trace_id)), lower(hex(e.span_id)), toString(e.value_type), e.value_double, e.value_int,
            CAST(e.attributes_string, 'Array(Tuple(String, String))'),
            arrayMap(a -> (a.1, hex(a.2)), CAST(e.attributes_other, 'Array(Tuple(String, String))'))),
        metric_points.exemplars) AS exemplar_rows
FROM metric_points
WHERE tenant = {tenant:String} AND name = {name:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND (service, series, time) >= ({after_service:String}, {after_series:UInt64}, fromUnixTimestamp64Nano({after_time:Int64}, 'UTC'))
    AND (service, series, time) <= ({last_service:String}, {last_series:UInt64}, fromUnixTimestamp64Nano({last_time:Int64}, 'UTC'))
    AND series IN (
        SELECT series
        FROM metric_series
        WHERE tenant = {tenant:String} AND name = {name:String}
            AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
            AND true /* condition */)
ORDER BY service, series, time, bus_partition, bus_offset, digest
LIMIT {limit:UInt32} OFFSET {offset:UInt64}
