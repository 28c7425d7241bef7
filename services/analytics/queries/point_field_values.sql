-- Values of one column of the series in a range, counted in points; which column is the repository's choice.
SELECT value, sum(points) AS record_count
FROM (
    SELECT counted.points AS points, any(known.found) AS value
    FROM (
        SELECT series, count() AS points
        FROM (
            SELECT series
            FROM metric_points
            WHERE tenant = {tenant:String}
                AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                    AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
        )
        GROUP BY series
    ) AS counted
    INNER JOIN (
        SELECT series, toString({column:Identifier}) AS found
        FROM metric_series
        WHERE tenant = {tenant:String}
            AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    ) AS known USING (series)
    GROUP BY series, points
)
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
