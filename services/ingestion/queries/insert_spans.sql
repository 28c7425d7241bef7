-- One batch of TraceEnvelope messages becomes rows in one step. Maps for resource and scope are made before spans are unfolded.
INSERT INTO spans (
    tenant, time, time_shift, trace_id, span_id, parent_span_id, trace_state, flags, service, name, kind, duration_nano,
    status_code, status_message, attributes_string, attributes_int, attributes_double, attributes_other,
    dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, resource_fingerprint, resource_string,
    resource_other, resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string,
    scope_other, scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at)
WITH
    span.start_time_unix_nano AS sent,
    if(sent BETWEEN received - 30 * 86400000000000 AND received + 86400000000000, sent, received) AS filed
SELECT
    tenant,
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
    reinterpretAsInt64(span.end_time_unix_nano - sent),
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
        tenant, partition, offset, received, service, resource_fingerprint, resource_string, resource_other,
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
            tenant, partition, offset, received,
            resourced.resource.attributes AS resource_attributes,
            ${STRINGS:resource_attributes} AS resource_string,
            ${NON_STRINGS:resource_attributes} AS resource_other,
            resource_string['service.name'] AS service,
            cityHash64(resource_attributes) AS resource_fingerprint,
            resourced.resource.dropped_attributes_count AS resource_dropped_attributes_count,
            resourced.resource.entity_refs AS resource_entity_refs,
            resourced.schema_url AS resource_schema_url,
            arrayJoin(resourced.scope_spans) AS scoped
        FROM (
            SELECT tenant, partition, offset, received_at AS received, arrayJoin(request.resource_spans) AS resourced
            FROM input('request ${TRACE_REQUEST}, tenant String, partition UInt32, offset UInt64, received_at UInt64')
        )
    )
)
