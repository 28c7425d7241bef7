-- Matching spans by step of time and duration; `bound` is the greatest of `bounds` that the duration reaches.
SELECT
    intDiv(toUnixTimestamp64Nano(time), {step:Int64} * 1000000000) AS step,
    roundDown(duration_nano, {bounds:Array(Int64)}) AS bound,
    count() AS span_count,
    countIf(status_code = 2) AS error_count
FROM spans
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND true /* condition */
GROUP BY step, bound
ORDER BY step, bound
