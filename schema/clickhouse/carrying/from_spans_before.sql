-- Rows of received_spans from those of before. Differences were kept modulo 2^64; a batch that was tried before and stored
-- after the change is left out, since the new table has it.
SELECT
    tenant, 0::UInt16 AS retention_days, time, time_shift, trace_id, span_id, parent_span_id, trace_state, flags, service, name, kind,
    reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift) AS sent,
    reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift + spans_before.duration_nano) AS ended,
    if(
        ended >= sent,
        reinterpretAsInt64(least(reinterpretAsUInt64(ended - sent), 9223372036854775807)),
        -reinterpretAsInt64(least(reinterpretAsUInt64(sent - ended), 9223372036854775807))) AS duration_nano,
    spans_before.duration_nano - duration_nano AS end_shift,
    CAST(${DEFAULT:received_spans.duration_fault}, 'Enum8(\'none\' = 0, \'start_unset\' = 1, \'end_before_start\' = 2, \'too_long\' = 3)') AS duration_fault,
    1::UInt32 AS sample_weight, status_code, status_message, attributes_string, attributes_int, attributes_double, attributes_other,
    dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, resource_fingerprint, resource_string, resource_other,
    CAST(${DEFAULT:received_spans.environment}, 'LowCardinality(String)') AS environment,
    CAST(${DEFAULT:received_spans.service_namespace}, 'LowCardinality(String)') AS service_namespace,
    CAST(${DEFAULT:received_spans.service_version}, 'LowCardinality(String)') AS service_version,
    resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string, scope_other,
    scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at
FROM ${DATABASE}.spans_before
WHERE ${PARTITIONS:time}
    AND (bus_partition, bus_offset, received_at) NOT IN (
        SELECT bus_partition, bus_offset, received_at
        FROM ${DATABASE}.spans
        WHERE retention_days != 0 AND ${PARTITIONS:time} AND received_at <= fromUnixTimestamp64Nano(${CHANGED_AT}, 'UTC'))
