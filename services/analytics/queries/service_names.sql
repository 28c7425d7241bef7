-- Every service that sent spans, those without entry spans too.
SELECT DISTINCT service
FROM red_1m
WHERE tenant = {tenant:String}
    AND time >= toStartOfMinute(toDateTime(fromUnixTimestamp64Nano({from:Int64}, 'UTC')))
    AND time < toDateTime(fromUnixTimestamp64Nano({to:Int64}, 'UTC')) + INTERVAL 1 SECOND
    AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
ORDER BY service
