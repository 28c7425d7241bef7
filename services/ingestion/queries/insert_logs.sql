-- One batch of LogEnvelope messages becomes rows in one step. A record without a time of its own is filed under the observed time.
INSERT INTO received_logs (
    tenant, retention_days, time, time_shift, observed_time_unix_nano, trace_id, span_id, flags, severity_number, severity_text, service, event_name, body,
    body_other, attributes_string, attributes_int, attributes_double, attributes_other, dropped_attributes_count,
    resource_fingerprint, resource_string, resource_other, environment, service_namespace, service_version, resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version,
    scope_string, scope_other, scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at)
WITH
    record.time_unix_nano AS sent,
    if(sent = 0, record.observed_time_unix_nano, sent) AS own,
    if(own BETWEEN received - 30 * 86400000000000 AND received + 86400000000000, own, received) AS filed
SELECT
    tenant,
    retention_days,
    fromUnixTimestamp64Nano(reinterpretAsInt64(filed), 'UTC'),
    reinterpretAsInt64(sent - filed),
    record.observed_time_unix_nano,
    record.trace_id,
    record.span_id,
    record.flags,
    record.severity_number,
    record.severity_text,
    service,
    record.event_name,
    record.body.string_value,
    ${BODY:record.body},
    ${STRINGS:record.attributes},
    ${INTS:record.attributes},
    ${DOUBLES:record.attributes},
    ${OTHERS:record.attributes},
    record.dropped_attributes_count,
    resource_fingerprint,
    resource_string,
    resource_other,
    environment,
    service_namespace,
    service_version,
    resource_dropped_attributes_count,
    resource_entity_refs,
    resource_schema_url,
    scope_name,
    scope_version,
    scope_string,
    scope_other,
    scope_dropped_attributes_count,
    scope_schema_url,
    partition,
    offset,
    fromUnixTimestamp64Nano(reinterpretAsInt64(received), 'UTC')
FROM (
    SELECT
        tenant, retention_days, partition, offset, received, service, resource_fingerprint, resource_string, resource_other, environment, service_namespace, service_version,
        resource_dropped_attributes_count, resource_entity_refs, resource_schema_url,
        scoped.scope.name AS scope_name,
        scoped.scope.version AS scope_version,
        ${STRINGS:scoped.scope.attributes} AS scope_string,
        ${NON_STRINGS:scoped.scope.attributes} AS scope_other,
        scoped.scope.dropped_attributes_count AS scope_dropped_attributes_count,
        scoped.schema_url AS scope_schema_url,
        arrayJoin(scoped.log_records) AS record
    FROM (
        SELECT
            tenant, retention_days, partition, offset, received,
            resourced.resource.attributes AS resource_attributes,
            ${STRINGS:resource_attributes} AS resource_string,
            ${NON_STRINGS:resource_attributes} AS resource_other,
            resource_string['service.name'] AS service,
            cityHash64(${SORTED:resource_string}, ${SORTED:resource_other}) AS resource_fingerprint,
            if(resource_string['deployment.environment.name'] != '', resource_string['deployment.environment.name'], resource_string['deployment.environment']) AS environment,
            resource_string['service.namespace'] AS service_namespace,
            resource_string['service.version'] AS service_version,
            resourced.resource.dropped_attributes_count AS resource_dropped_attributes_count,
            resourced.resource.entity_refs AS resource_entity_refs,
            resourced.schema_url AS resource_schema_url,
            arrayJoin(resourced.scope_logs) AS scoped
        FROM (
            SELECT tenant, if(retention_days = 0, 32, retention_days) AS retention_days, partition, offset, received_at AS received, arrayJoin(request.resource_logs) AS resourced
            FROM input('request ${LOG_REQUEST}, tenant String, partition UInt32, offset UInt64, received_at UInt64, retention_days UInt32')
        )
    )
)
