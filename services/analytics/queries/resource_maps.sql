-- Attributes of resources by fingerprint, as pairs. A resource has a row for each of its days and classes, all alike.
SELECT
    resource_fingerprint AS resource,
    CAST(any(resources.resource_string), 'Array(Tuple(String, String))') AS resource_strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(any(resources.resource_other), 'Array(Tuple(String, String))')) AS resource_others
FROM resources
WHERE tenant = {tenant:String}
    AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND resource_fingerprint IN {fingerprints:Array(UInt64)}
GROUP BY resource_fingerprint
