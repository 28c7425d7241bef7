-- Values of one resource attribute, counted in records: the records are counted per resource, then the few resources are read.
SELECT hex(payload) AS value, sum(records) AS record_count
FROM (
    SELECT payload, records, multiIf(startsWith(payload, 't'), 'true', startsWith(payload, 'f'), 'false', substring(payload, 2)) AS text
    FROM (
        SELECT any(found) AS payload, any(counted.records) AS records
        FROM (
            SELECT
                resource_fingerprint,
                if(mapContains(resource_string, {key:String}), concat('s', resource_string[{key:String}]), resource_other[{key:String}]) AS found
            FROM resources
            WHERE tenant = {tenant:String}
                AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
                AND (mapContains(resource_string, {key:String}) OR mapContains(resource_other, {key:String}))
        ) AS known
        INNER JOIN (
            SELECT resource_fingerprint, count() AS records
            FROM {table:Identifier}
            WHERE tenant = {tenant:String}
                AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                    AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
                AND toStartOfHour(time) BETWEEN toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
                    AND toStartOfHour(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
                AND resource_fingerprint IN (
                    SELECT resource_fingerprint
                    FROM resources
                    WHERE tenant = {tenant:String}
                        AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
                        AND (mapContains(resource_string, {key:String}) OR mapContains(resource_other, {key:String})))
            GROUP BY resource_fingerprint
        ) AS counted USING (resource_fingerprint)
        GROUP BY resource_fingerprint
    )
    WHERE startsWith(payload, 's') OR startsWith(payload, 'i') OR startsWith(payload, 'd') OR startsWith(payload, 't') OR startsWith(payload, 'f')
)
WHERE startsWith(lowerUTF8(text), lowerUTF8({prefix:String}))
GROUP BY value
ORDER BY record_count DESC, value
LIMIT {limit:UInt32}
