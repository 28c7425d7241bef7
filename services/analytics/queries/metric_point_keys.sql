-- Where the points of one page end: series one after the other, each in order of time. Reads the narrow columns only.
SELECT toString(service) AS owner, series AS series_id, toUnixTimestamp64Nano(time) AS filed
FROM metric_points
WHERE tenant = {tenant:String} AND name = {name:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND (service, series, time) >= ({after_service:String}, {after_series:UInt64}, fromUnixTimestamp64Nano({after_time:Int64}, 'UTC'))
    AND series IN (
        SELECT series
        FROM metric_series
        WHERE tenant = {tenant:String} AND name = {name:String}
            AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
            AND true /* condition */)
ORDER BY service, series, time
LIMIT {limit:UInt32} OFFSET {offset:UInt64}
