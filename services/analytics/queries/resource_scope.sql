-- Resources of the days of a whole search: the subquery to which conditions on resources are added.
SELECT resource_fingerprint
FROM resources
WHERE tenant = {tenant:String}
    AND day >= toDate(fromUnixTimestamp64Nano({range_from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({range_to:Int64}, 'UTC'))
