-- Attribute keys of the days' resources with the types they come in: 's' or the type byte of the payload ('' no value).
SELECT DISTINCT entry.1 AS key, entry.2 AS type_byte
FROM (
    SELECT arrayJoin(arrayConcat(
        arrayMap(k -> (toString(k), 's'), mapKeys(resource_string)),
        arrayMap((k, v) -> (toString(k), substring(v, 1, 1)), mapKeys(resource_other), mapValues(resource_other)))) AS entry
    FROM resources
    WHERE tenant = {tenant:String}
        AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
)
ORDER BY key, type_byte
LIMIT {limit:UInt32}
