-- Traces by their earliest match in one slice of time, newest first, from a place (`before`, `before_trace`) downwards. A trace
-- may have earlier matches before the slice; those are sorted out by trace_earlier_matches.
SELECT lower(hex(trace_id)) AS id, toUnixTimestamp64Nano(min(time)) AS first_match
FROM spans
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time <= fromUnixTimestamp64Nano({before:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({before:Int64}, 'UTC'))
    AND true /* condition */
GROUP BY trace_id
HAVING (min(time), trace_id) < (fromUnixTimestamp64Nano({before:Int64}, 'UTC'), unhex({before_trace:String}))
ORDER BY min(time) DESC, trace_id DESC
LIMIT {limit:UInt32}
