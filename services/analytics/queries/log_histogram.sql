-- Matching records by step of time and severity level (1 trace ... 6 fatal, 0 none).
SELECT
    intDiv(toUnixTimestamp64Nano(time), {step:Int64} * 1000000000) AS step,
    if(severity BETWEEN 1 AND 24, intDiv(severity + 3, 4), 0) AS level,
    count() AS record_count
FROM logs
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND true /* condition */
GROUP BY step, level
ORDER BY step, level
