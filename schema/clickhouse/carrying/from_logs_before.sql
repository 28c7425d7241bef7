-- Rows of received_logs from those of before, likewise.
SELECT
    tenant, 0::UInt16 AS retention_days, time, time_shift, observed_time_unix_nano, trace_id, span_id, flags, severity_number, severity_text,
    CAST(${DEFAULT:received_logs.severity}, 'Int32') AS severity,
    service, event_name, body, body_other, attributes_string, attributes_int, attributes_double, attributes_other,
    dropped_attributes_count, resource_fingerprint, resource_string, resource_other,
    CAST(${DEFAULT:received_logs.environment}, 'LowCardinality(String)') AS environment,
    CAST(${DEFAULT:received_logs.service_namespace}, 'LowCardinality(String)') AS service_namespace,
    CAST(${DEFAULT:received_logs.service_version}, 'LowCardinality(String)') AS service_version,
    resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string, scope_other,
    scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at
FROM ${DATABASE}.logs_before
WHERE ${PARTITIONS:time}
    AND (bus_partition, bus_offset, received_at) NOT IN (
        SELECT bus_partition, bus_offset, received_at
        FROM ${DATABASE}.logs
        WHERE retention_days != 0 AND ${PARTITIONS:time} AND received_at <= fromUnixTimestamp64Nano(${CHANGED_AT}, 'UTC'))
