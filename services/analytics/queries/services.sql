-- Requests (entry spans), errors and durations per service, in all and per step. Whole hours (of long ranges) and minutes come from
-- the rollups; what sticks out at both ends is counted from the spans, so the numbers are those of the very range asked for.
WITH measured AS (
    SELECT service, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_min_nano, duration_max_nano, duration_buckets
    FROM red_1h
    WHERE tenant = {tenant:String}
        AND time >= toDateTime({hours_from:Int64}, 'UTC') AND time < toDateTime({hours_to:Int64}, 'UTC')
        AND toStartOfDay(time) BETWEEN toStartOfDay(toDateTime({hours_from:Int64}, 'UTC'))
            AND toStartOfDay(toDateTime({hours_to:Int64}, 'UTC'))
        AND is_entry
        AND true /* service */
    UNION ALL
    SELECT service, toInt64(toUnixTimestamp(time)) AS moment, request_count, error_count, duration_min_nano, duration_max_nano, duration_buckets
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
        sum(toUInt64(sample_weight)) AS request_count,
        sumIf(toUInt64(sample_weight), status_code = 2) AS error_count,
        min(if(duration_fault = 'none', duration_nano, 9223372036854775807)) AS duration_min_nano,
        max(if(duration_fault = 'none', duration_nano, -1)) AS duration_max_nano,
        sumMapIf(
            map(if(duration_nano > 0, toInt16(ceil(log2(duration_nano) * 64) - 1), -32768)::Int16, toUInt64(sample_weight)),
            duration_fault = 'none') AS duration_buckets
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
    is_total,
    step,
    requests,
    errors,
    -- The bucket in which the rank lies, at the value from which both its ends are equally far, and never outside what was measured.
    arrayMap(
        key -> if(key = -32768, 0, least(greatest(exp2(key / 64) * (2 - 2 / (1 + exp2(1 / 64))), shortest), longest)),
        arrayMap(
            level -> mapKeys(buckets)[arrayFirstIndex(reached -> reached >= level * total, arrayCumSum(mapValues(buckets)))],
            if(total = 0, []::Array(Float64), [0.5, 0.9, 0.95, 0.99]))) AS quantiles
FROM (
    SELECT
        service,
        toBool(grouping(step)) AS is_total,
        intDiv(moment, {step:Int64}) * {step:Int64} AS step,
        sum(request_count) AS requests,
        sum(error_count) AS errors,
        toFloat64(min(duration_min_nano)) AS shortest,
        toFloat64(max(duration_max_nano)) AS longest,
        sumMap(duration_buckets) AS buckets,
        arraySum(mapValues(buckets)) AS total
    FROM measured
    GROUP BY GROUPING SETS ((service), (service, step))
)
ORDER BY service, is_total, step
