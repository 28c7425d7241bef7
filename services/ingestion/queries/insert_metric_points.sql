-- One batch of MetricEnvelope messages becomes one row per data point. The five kinds of data point are brought to one tuple
-- form (fields a kind lacks are empty), so that one pass over the batch fills one table.
INSERT INTO received_metric_points (
    tenant, retention_days, time, time_shift, start_time_unix_nano, service, name, description, unit, metadata_string, metadata_other, type, temporality, monotonic,
    series, attributes_string, attributes_other, flags, value_type, value_double, value_int, count, sum, min, max, bucket_counts,
    explicit_bounds, scale, zero_count, zero_threshold, positive_offset, positive_bucket_counts, negative_offset,
    negative_bucket_counts, quantile_values, exemplars,
    resource_fingerprint, resource_string, resource_other, environment, service_namespace, service_version, resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version,
    scope_string, scope_other, scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at)
WITH
    point.time AS sent,
    if(sent BETWEEN received - 30 * 86400000000000 AND received + 86400000000000, sent, received) AS filed
SELECT
    tenant,
    retention_days,
    fromUnixTimestamp64Nano(reinterpretAsInt64(filed), 'UTC'),
    reinterpretAsInt64(sent - filed),
    point.start,
    service,
    metric_name,
    metric_description,
    metric_unit,
    metadata_string,
    metadata_other,
    metric_type,
    temporality,
    monotonic,
    cityHash64(metric_identity, ${SORTED:attributes_string}, ${SORTED:attributes_other}),
    ${STRINGS:point.attributes} AS attributes_string,
    ${NON_STRINGS:point.attributes} AS attributes_other,
    point.flags,
    point.value_type,
    point.value_double,
    point.value_int,
    point.count,
    point.sum,
    point.min,
    point.max,
    point.bucket_counts,
    point.explicit_bounds,
    point.scale,
    point.zero_count,
    point.zero_threshold,
    point.positive_offset,
    point.positive_bucket_counts,
    point.negative_offset,
    point.negative_bucket_counts,
    point.quantile_values,
    arrayMap(
        e -> (e.time_unix_nano, e.trace_id, e.span_id, ${VALUE_TYPE:e.value}, e.as_double, e.as_int,
            ${STRINGS:e.filtered_attributes}, ${NON_STRINGS:e.filtered_attributes}),
        point.exemplars),
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
        * EXCEPT (metric),
        metric.name AS metric_name,
        metric.description AS metric_description,
        metric.unit AS metric_unit,
        ${STRINGS:metric.metadata} AS metadata_string,
        ${NON_STRINGS:metric.metadata} AS metadata_other,
        CAST(transform(toInt8(metric.data), [5, 7, 9, 10, 11], [1, 2, 3, 4, 5], 0), 'Enum8(\'none\' = 0, \'gauge\' = 1, \'sum\' = 2, \'histogram\' = 3, \'exponential_histogram\' = 4, \'summary\' = 5)') AS metric_type,
        metric.sum.aggregation_temporality + metric.histogram.aggregation_temporality + metric.exponential_histogram.aggregation_temporality AS temporality,
        metric.sum.is_monotonic AS monotonic,
        -- All that the points of a series share but their attributes; the same in `airis migrate`, which gives older points theirs.
        cityHash64(
            origin_identity, metric_name, metric_description, metric_unit, ${SORTED:metadata_string}, ${SORTED:metadata_other},
            toInt8(metric_type), temporality, monotonic) AS metric_identity,
        arrayJoin(arrayConcat(
            ${NUMBER_POINTS:metric.gauge.data_points},
            ${NUMBER_POINTS:metric.sum.data_points},
            ${HISTOGRAM_POINTS:metric.histogram.data_points},
            ${EXPONENTIAL_POINTS:metric.exponential_histogram.data_points},
            ${SUMMARY_POINTS:metric.summary.data_points})) AS point
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
            cityHash64(
                resource_fingerprint, resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version,
                ${SORTED:scope_string}, ${SORTED:scope_other}, scope_dropped_attributes_count, scope_schema_url) AS origin_identity,
            arrayJoin(scoped.metrics) AS metric
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
                arrayJoin(resourced.scope_metrics) AS scoped
            FROM (
                SELECT tenant, if(retention_days = 0, 32, retention_days) AS retention_days, partition, offset, received_at AS received, arrayJoin(request.resource_metrics) AS resourced
                FROM input('request ${METRIC_REQUEST}, tenant String, partition UInt32, offset UInt64, received_at UInt64, retention_days UInt32')
            )
        )
    )
)
