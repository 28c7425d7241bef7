-- One batch of TraceEnvelope messages becomes rows in one step. Maps for resource and scope are made before spans are unfolded.
INSERT INTO received_spans (
    tenant, retention_days, time, time_shift, trace_id, span_id, parent_span_id, trace_state, flags, service, name, kind, duration_nano, end_shift,
    status_code, status_message, attributes_string, attributes_int, attributes_double, attributes_other,
    dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, resource_fingerprint, resource_string,
    resource_other, environment, service_namespace, service_version, resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string,
    scope_other, scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at)
WITH
    span.start_time_unix_nano AS sent,
    span.end_time_unix_nano AS ended,
    -- Within Int64 either way; the rest of a difference beyond it is in end_shift.
    if(
        ended >= sent,
        reinterpretAsInt64(least(reinterpretAsUInt64(ended - sent), 9223372036854775807)),
        -reinterpretAsInt64(least(reinterpretAsUInt64(sent - ended), 9223372036854775807))) AS duration,
    if(sent BETWEEN received - 30 * 86400000000000 AND received + 86400000000000, sent, received) AS filed
SELECT
    tenant,
    retention_days,
    fromUnixTimestamp64Nano(reinterpretAsInt64(filed), 'UTC'),
    reinterpretAsInt64(sent - filed),
    span.trace_id,
    span.span_id,
    span.parent_span_id,
    span.trace_state,
    span.flags,
    service,
    span.name,
    span.kind,
    duration,
    reinterpretAsInt64(ended - sent) - duration,
    span.status.code,
    span.status.message,
    ${STRINGS:span.attributes},
    ${INTS:span.attributes},
    ${DOUBLES:span.attributes},
    ${OTHERS:span.attributes},
    span.dropped_attributes_count,
    arrayMap(e -> (e.time_unix_nano, e.name, ${STRINGS:e.attributes}, ${NON_STRINGS:e.attributes}, e.dropped_attributes_count), span.events),
    span.dropped_events_count,
    arrayMap(l -> (l.trace_id, l.span_id, l.trace_state, ${STRINGS:l.attributes}, ${NON_STRINGS:l.attributes}, l.dropped_attributes_count, l.flags), span.links),
    span.dropped_links_count,
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
        arrayJoin(scoped.spans) AS span
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
            arrayJoin(resourced.scope_spans) AS scoped
        FROM (
            SELECT tenant, if(retention_days = 0, 32, retention_days) AS retention_days, partition, offset, received_at AS received, arrayJoin(request.resource_spans) AS resourced
            FROM input('request ${TRACE_REQUEST}, tenant String, partition UInt32, offset UInt64, received_at UInt64, retention_days UInt32')
        )
    )
)
