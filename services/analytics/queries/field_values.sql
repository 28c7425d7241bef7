-- Values of one column in a range, as text, by frequency; which column is the repository's choice.
SELECT toString({column:Identifier}) AS value, count() AS record_count
FROM {table:Identifier}
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
