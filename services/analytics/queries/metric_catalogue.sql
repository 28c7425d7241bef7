-- Metrics with points on the days of the range, of any service or of one.
SELECT
    name,
    type,
    unit,
    temporality,
    monotonic,
    anyLast(description) AS description,
    arraySort(groupUniqArrayArray(attribute_keys)) AS attributes,
    arraySort(groupUniqArray(toString(service))) AS services
FROM metric_catalogue
WHERE tenant = {tenant:String}
    AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND first_time < toDateTime(fromUnixTimestamp64Nano({to:Int64}, 'UTC')) + INTERVAL 1 SECOND
    AND last_time >= toDateTime(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
    AND positionCaseInsensitiveUTF8(name, {name_part:String}) > 0
    AND true /* service */
GROUP BY name, type, unit, temporality, monotonic
ORDER BY name, type, unit, temporality, monotonic
LIMIT {limit:UInt32}
