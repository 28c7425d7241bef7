-- Every field of a trace's spans, earliest first. Maps come as arrays of pairs, because a key sent twice is two pairs, and
-- bytes as hex; a resource's maps are in `resources`, by its fingerprint. Names differ from the columns', so that no condition can mean the one and get the other.
SELECT
    lower(hex(span_id)) AS span,
    lower(hex(parent_span_id)) AS parent,
    trace_state AS state,
    flags AS span_flags,
    name AS span_name,
    kind AS span_kind,
    service AS span_service,
    start_time_unix_nano AS started,
    end_time_unix_nano AS ended,
    duration_fault AS fault,
    status_code AS status,
    status_message AS message,
    CAST(attributes_string, 'Array(Tuple(String, String))') AS strings,
    CAST(attributes_int, 'Array(Tuple(String, Int64))') AS ints,
    CAST(attributes_double, 'Array(Tuple(String, Float64))') AS doubles,
    arrayMap(a -> (a.1, hex(a.2)), CAST(attributes_other, 'Array(Tuple(String, String))')) AS others,
    dropped_attributes_count AS dropped_attributes,
    arrayMap(
        e -> (
            e.time_unix_nano, toString(e.name), CAST(e.attributes_string, 'Array(Tuple(String, String))'),
            arrayMap(a -> (a.1, hex(a.2)), CAST(e.attributes_other, 'Array(Tuple(String, String))')), e.dropped_attributes_count),
        spans.events) AS event_rows,
    dropped_events_count AS dropped_events,
    arrayMap(
        l -> (
            lower(hex(l.trace_id)), lower(hex(l.span_id)), l.trace_state, CAST(l.attributes_string, 'Array(Tuple(String, String))'),
            arrayMap(a -> (a.1, hex(a.2)), CAST(l.attributes_other, 'Array(Tuple(String, String))')), l.dropped_attributes_count,
            l.flags),
        spans.links) AS link_rows,
    dropped_links_count AS dropped_links,
    resource_fingerprint AS resource,
    resource_dropped_attributes_count AS resource_dropped,
    arrayMap(e -> hex(e), resource_entity_refs) AS resource_entities,
    resource_schema_url AS resource_schema,
    scope_name AS scope,
    scope_version AS version,
    CAST(scope_string, 'Array(Tuple(String, String))') AS scope_strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(scope_other, 'Array(Tuple(String, String))')) AS scope_others,
    scope_dropped_attributes_count AS scope_dropped,
    scope_schema_url AS scope_schema
FROM spans
WHERE tenant = {tenant:String}
    AND time >= toDateTime64({first_second:Int64}, 9, 'UTC') AND time < toDateTime64({last_second:Int64} + 1, 9, 'UTC')
    AND toStartOfFiveMinutes(time) IN (
            SELECT toDateTime(arrayJoin(arrayFlatten(arrayMap((a, b) -> range(a, b, 300), {bucket_starts:Array(UInt32)}, {bucket_ends:Array(UInt32)}))), 'UTC'))
    AND trace_id = unhex({trace_id:String})
ORDER BY start_time_unix_nano, span_id
LIMIT {limit:UInt32}
