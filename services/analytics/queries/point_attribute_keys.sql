-- The same for data points, whose attributes are those of their series. Numbers are among the tagged payloads.
SELECT
    sum(points) AS record_count,
    groupUniqArrayArray({limit:UInt32})(arrayMap(k -> toString(k), mapKeys(attributes_string))) AS string_keys,
    groupUniqArrayArray({limit:UInt32})(
        arrayMap((k, v) -> (toString(k), substring(v, 1, 1)), mapKeys(attributes_other), mapValues(attributes_other))) AS other_keys
FROM (
    SELECT counted.points AS points, any(known.attributes_string) AS attributes_string, any(known.attributes_other) AS attributes_other
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
        SELECT series, attributes_string, attributes_other
        FROM metric_series
        WHERE tenant = {tenant:String}
            AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    ) AS known USING (series)
    GROUP BY series, points
)
