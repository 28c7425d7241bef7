-- The same for data points.
SELECT hex(payload) AS value, sum(points) AS record_count
FROM (
    SELECT
        points,
        payload,
        multiIf(startsWith(payload, 't'), 'true', startsWith(payload, 'f'), 'false', substring(payload, 2)) AS text
    FROM (
        SELECT counted.points AS points, any(known.found) AS payload
        FROM (
            SELECT series, count() AS points
            FROM (
                SELECT series
                FROM metric_points
                WHERE tenant = {tenant:String}
                    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                    AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                        AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
                LIMIT {budget:UInt64}
            )
            GROUP BY series
        ) AS counted
        INNER JOIN (
            SELECT
                series,
                if(mapContains(attributes_string, {key:String}), concat('s', attributes_string[{key:String}]), attributes_other[{key:String}]) AS found
            FROM metric_series
            WHERE tenant = {tenant:String}
                AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
        ) AS known USING (series)
        GROUP BY series, points
    )
    WHERE startsWith(payload, 's') OR startsWith(payload, 'i') OR startsWith(payload, 'd') OR startsWith(payload, 't') OR startsWith(payload, 'f')
)
WHERE startsWith(lowerUTF8(text), lowerUTF8({prefix:String}))
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
