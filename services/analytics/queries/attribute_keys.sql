-- Attribute keys of some records of one slice, with their types as type bytes; {table} is spans or logs.
SELECT
    count() AS record_count,
    groupUniqArrayArray({limit:UInt32})(arrayMap(k -> toString(k), mapKeys(attributes_string))) AS string_keys,
    groupUniqArrayArray({limit:UInt32})(arrayMap(k -> toString(k), mapKeys(attributes_int))) AS int_keys,
    groupUniqArrayArray({limit:UInt32})(arrayMap(k -> toString(k), mapKeys(attributes_double))) AS double_keys,
    groupUniqArrayArray({limit:UInt32})(
        arrayMap((k, v) -> (toString(k), substring(v, 1, 1)), mapKeys(attributes_other), mapValues(attributes_other))) AS other_keys
FROM (
    SELECT attributes_string, attributes_int, attributes_double, attributes_other
    FROM {table:Identifier}
    WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
        AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
            AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    LIMIT {budget:UInt64}
)
