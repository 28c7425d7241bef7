-- Every field of the matching records filed at these times, newest first. Equal times are told apart by where the record
-- came from (bus partition and offset) and by `digest`, a hash of all that one bus record can hold in several forms.
WITH cityHash64((
    time_shift, observed_time_unix_nano, trace_id, span_id, flags, severity_number, severity_text, service, event_name, body, body_other,
    attributes_string, attributes_int, attributes_double, attributes_other, dropped_attributes_count, resource_fingerprint,
    resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string, scope_other,
    scope_dropped_attributes_count, scope_schema_url)) AS digest
SELECT
    toUnixTimestamp64Nano(time) AS filed,
    bus_partition AS origin_partition,
    bus_offset AS origin_offset,
    digest,
    time_unix_nano AS sent,
    observed_time_unix_nano AS observed,
    severity_number AS severity,
    severity_text AS severity_name,
    body AS text,
    hex(body_other) AS body_payload,
    CAST(attributes_string, 'Array(Tuple(String, String))') AS strings,
    CAST(attributes_int, 'Array(Tuple(String, Int64))') AS ints,
    CAST(attributes_double, 'Array(Tuple(String, Float64))') AS doubles,
    arrayMap(a -> (a.1, hex(a.2)), CAST(attributes_other, 'Array(Tuple(String, String))')) AS others,
    dropped_attributes_count AS dropped_attributes,
    flags AS log_flags,
    lower(hex(trace_id)) AS trace,
    lower(hex(span_id)) AS span,
    event_name AS event,
    service AS log_service,
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
FROM logs
WHERE tenant = {tenant:String}
    AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND toStartOfFiveMinutes(time) IN (
            SELECT toDateTime(arrayJoin(arrayFlatten(arrayMap((a, b) -> range(a, b, 300), {bucket_starts:Array(UInt32)}, {bucket_ends:Array(UInt32)}))), 'UTC'))
    AND toUnixTimestamp64Nano(time) IN {times:Array(Int64)}
    AND true /* condition */
ORDER BY time DESC, bus_partition DESC, bus_offset DESC, digest DESC
LIMIT {limit:UInt32} OFFSET {offset:UInt64}
