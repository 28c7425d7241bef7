-- The same for data points, whose numbers are among the tagged payloads.
SELECT
    count() AS record_count,
    groupUniqArrayArray({limit:UInt32})(arrayMap(k -> toString(k), mapKeys(attributes_string))) AS string_keys,
    groupUniqArrayArray({limit:UInt32})(
        arrayMap((k, v) -> (toString(k), substring(v, 1, 1)), mapKeys(attributes_other), mapValues(attributes_other))) AS other_keys
FROM (
    SELECT attributes_string, attributes_other
    FROM metric_points
    WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
        AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
            AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    LIMIT {budget:UInt64}
)
