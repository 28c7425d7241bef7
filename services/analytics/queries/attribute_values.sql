-- Values of one attribute in some records of one slice, tagged by type as in the *_other maps ('s' for strings), by frequency.
SELECT hex(payload) AS value, count() AS record_count
FROM (
    SELECT payload, multiIf(startsWith(payload, 't'), 'true', startsWith(payload, 'f'), 'false', substring(payload, 2)) AS text
    FROM (
        SELECT multiIf(
            mapContains(attributes_string, {key:String}), concat('s', attributes_string[{key:String}]),
            mapContains(attributes_int, {key:String}), concat('i', toString(attributes_int[{key:String}])),
            mapContains(attributes_double, {key:String}), concat('d', toString(attributes_double[{key:String}])),
            attributes_other[{key:String}]) AS payload
        FROM (
            SELECT attributes_string, attributes_int, attributes_double, attributes_other
            FROM {table:Identifier}
            WHERE tenant = {tenant:String}
                AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                    AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
            LIMIT {budget:UInt64}
        )
    )
    WHERE startsWith(payload, 's') OR startsWith(payload, 'i') OR startsWith(payload, 'd') OR startsWith(payload, 't') OR startsWith(payload, 'f')
)
WHERE startsWith(lowerUTF8(text), lowerUTF8({prefix:String}))
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
