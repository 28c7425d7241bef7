-- The same numbers per operation and kind, over all spans. The busiest come first; names with ids in them can be many.
WITH measured AS (
    SELECT operation, kind, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_quantiles
    FROM red_1h
    WHERE tenant = {tenant:String}
        AND time >= toDateTime({hours_from:Int64}, 'UTC') AND time < toDateTime({hours_to:Int64}, 'UTC')
        AND toStartOfDay(time) BETWEEN toStartOfDay(toDateTime({hours_from:Int64}, 'UTC'))
            AND toStartOfDay(toDateTime({hours_to:Int64}, 'UTC'))
        AND true /* service */
    UNION ALL
    SELECT operation, kind, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_quantiles
    FROM red_1m
    WHERE tenant = {tenant:String}
        AND time >= toDateTime({minutes_from:Int64}, 'UTC') AND time < toDateTime({minutes_to:Int64}, 'UTC')
        AND toStartOfHour(time) BETWEEN toStartOfHour(toDateTime({minutes_from:Int64}, 'UTC'))
            AND toStartOfHour(toDateTime({minutes_to:Int64}, 'UTC'))
        AND (toStartOfHour(time) < toDateTime({hours_from:Int64}, 'UTC') OR toStartOfHour(time) >= toDateTime({hours_to:Int64}, 'UTC'))
        AND true /* service */
    UNION ALL
    SELECT
        name AS operation,
        kind,
        toInt64(toUnixTimestamp(toStartOfMinute(time))) AS moment,
        count() AS request_count,
        countIf(status_code = 2) AS error_count,
        quantilesTDigestState(0.5, 0.9, 0.95, 0.99)(greatest(duration_nano, 0)) AS duration_quantiles
    FROM spans
    WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
        AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
            AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
        AND (
            time < toDateTime64({minutes_from:Int64}, 9, 'UTC')
                AND toStartOfFiveMinutes(time) <= toStartOfFiveMinutes(toDateTime({minutes_from:Int64}, 'UTC'))
            OR time >= toDateTime64({minutes_to:Int64}, 9, 'UTC')
                AND toStartOfFiveMinutes(time) >= toStartOfFiveMinutes(toDateTime({minutes_to:Int64}, 'UTC')))
        AND true /* service */
    GROUP BY operation, kind, moment
)
SELECT
    operation,
    kind,
    sum(request_count) AS requests,
    sum(error_count) AS errors,
    quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(duration_quantiles) AS quantiles
FROM measured
GROUP BY operation, kind
ORDER BY requests DESC, operation, kind
LIMIT {limit:UInt32}
