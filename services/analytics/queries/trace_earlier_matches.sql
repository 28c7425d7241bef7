-- Which of these traces have a match before the slice in which they were found: they belong to an older slice.
SELECT DISTINCT lower(hex(trace_id)) AS id
FROM spans
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) IN (
            SELECT toDateTime(arrayJoin(arrayFlatten(arrayMap((a, b) -> range(a, b, 300), {bucket_starts:Array(UInt32)}, {bucket_ends:Array(UInt32)}))), 'UTC'))
    AND trace_id IN (SELECT unhex(arrayJoin({trace_ids:Array(String)})))
    AND true /* condition */
