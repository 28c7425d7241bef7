-- Which of these keys any resource of the days has.
SELECT arrayIntersect(
    {keys:Array(String)},
    arrayConcat(
        groupUniqArrayArray(arrayMap(k -> toString(k), mapKeys(resource_string))),
        groupUniqArrayArray(arrayMap(k -> toString(k), mapKeys(resource_other))))) AS present
FROM resources
WHERE tenant = {tenant:String}
    AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
