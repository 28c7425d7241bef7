-- Times of the newest matching records of one slice: reads no more than time and what the condition needs.
SELECT toUnixTimestamp64Nano(time) AS filed
FROM logs
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND true /* condition */
ORDER BY time DESC
LIMIT {limit:UInt32}
