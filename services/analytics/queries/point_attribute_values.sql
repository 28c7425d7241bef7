-- The same for data points.
SELECT hex(payload) AS value, count() AS record_count
FROM (
    SELECT payload, multiIf(startsWith(payload, 't'), 'true', startsWith(payload, 'f'), 'false', substring(payload, 2)) AS text
    FROM (
        SELECT if(
            mapContains(attributes_string, {key:String}), concat('s', attributes_string[{key:String}]), attributes_other[{key:String}]) AS payload
        FROM (
            SELECT attributes_string, attributes_other
            FROM metric_points
            WHERE tenant = {tenant:String}
                AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                    AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
            LIMIT {budget:UInt64}
        )
    )
    WHERE startsWith(payload, 's') OR startsWith(payload, 'i') OR startsWith(payload, 'd') OR startsWith(payload, 't') OR startsWith(payload, 'f')
)
WHERE startsWith(lowerUTF8(text), lowerUTF8({prefix:String}))
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
