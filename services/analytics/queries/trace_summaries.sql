-- Whole traces in one row each. The root is the span whose parent is not in the trace: one without a parent before others,
-- then the earliest; a trace of cycles falls back to its earliest span.
WITH members AS (
    SELECT
        trace_id, span_id, parent_span_id, service, name, status_code,
        start_time_unix_nano AS started,
        end_time_unix_nano AS ended,
        time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
            AND true /* condition */ AS is_match
    FROM spans
    WHERE tenant = {tenant:String}
        AND time >= toDateTime64({first_second:Int64}, 9, 'UTC') AND time < toDateTime64({last_second:Int64} + 1, 9, 'UTC')
        AND toStartOfFiveMinutes(time) IN (
            SELECT toDateTime(arrayJoin(arrayFlatten(arrayMap((a, b) -> range(a, b, 300), {bucket_starts:Array(UInt32)}, {bucket_ends:Array(UInt32)}))), 'UTC'))
        AND trace_id IN (SELECT unhex(arrayJoin({trace_ids:Array(String)})))
)
SELECT
    lower(hex(trace_id)) AS id,
    argMin((service, name), (is_child, parent_span_id != '', started, span_id)) AS root,
    min(started) AS start,
    max(ended) AS end,
    count() AS span_count,
    countIf(status_code = 2) AS error_count,
    countIf(status_code = 1) AS ok_count,
    countIf(is_match) AS matched_count,
    sumMap([toString(service)], [toUInt64(1)]) AS service_spans,
    sumMap([toString(service)], [toUInt64(status_code = 2)]) AS service_errors
FROM (
    -- Each span once under its own id and once under its parent's; where the two meet, the parent is in the trace. A second look
    -- at `members` would read the store twice.
    SELECT *, max(is_own) OVER (PARTITION BY trace_id, id) AS is_child
    FROM (SELECT *, arrayJoin([(span_id, true), (parent_span_id, false)]) AS entry, entry.1 AS id, entry.2 AS is_own FROM members)
)
WHERE NOT is_own
GROUP BY trace_id
