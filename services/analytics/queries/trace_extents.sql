-- When each trace was active, per day: bounds for reading its spans. Bound by trace id alone, because that is what they are for;
-- the index holds one row per trace and day.
SELECT
    lower(hex(trace_id)) AS id,
    toInt64(toUnixTimestamp(min(trace_index.first_time))) AS first_second,
    toInt64(toUnixTimestamp(max(trace_index.last_time))) AS last_second
FROM trace_index
WHERE tenant = {tenant:String} AND trace_id IN (SELECT unhex(arrayJoin({trace_ids:Array(String)})))
GROUP BY trace_id, day
ORDER BY id, first_second
