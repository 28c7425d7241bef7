-- Requests (entry spans), errors and durations per service, in all and per step. Whole hours (of long ranges) and minutes come from
-- the rollups; what sticks out at both ends is counted from the spans, so the numbers are those of the very range asked for.
WITH measured AS (
    SELECT service, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_quantiles
    FROM red_1h
    WHERE tenant = {tenant:String}
        AND time >= toDateTime({hours_from:Int64}, 'UTC') AND time < toDateTime({hours_to:Int64}, 'UTC')
        AND toStartOfDay(time) BETWEEN toStartOfDay(toDateTime({hours_from:Int64}, 'UTC'))
            AND toStartOfDay(toDateTime({hours_to:Int64}, 'UTC'))
        AND is_entry
        AND true /* service */
    UNION ALL
    SELECT service, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_quantiles
    FROM red_1m
    WHERE tenant = {tenant:String}
        AND time >= toDateTime({minutes_from:Int64}, 'UTC') AND time < toDateTime({minutes_to:Int64}, 'UTC')
        AND toStartOfHour(time) BETWEEN toStartOfHour(toDateTime({minutes_from:Int64}, 'UTC'))
            AND toStartOfHour(toDateTime({minutes_to:Int64}, 'UTC'))
        AND (toStartOfHour(time) < toDateTime({hours_from:Int64}, 'UTC') OR toStartOfHour(time) >= toDateTime({hours_to:Int64}, 'UTC'))
        AND is_entry
        AND true /* service */
    UNION ALL
    SELECT
        service,
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
        AND (kind IN (2, 5) OR parent_span_id = '')
        AND true /* service */
    GROUP BY service, moment
)
SELECT
    service,
    toBool(grouping(step)) AS is_total,
    intDiv(moment, {step:Int64}) * {step:Int64} AS step,
    sum(request_count) AS requests,
    sum(error_count) AS errors,
    quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(duration_quantiles) AS quantiles
FROM measured
GROUP BY GROUPING SETS ((service), (service, step))
ORDER BY service, is_total, step
