-- Rows of received_metric_points from those of before, likewise; `series` as insert_metric_points.sql makes it, so that a series goes on.
-- Fingerprints stay those under which `resources` has them.
SELECT
    tenant, 0::UInt16 AS retention_days, time, time_shift, start_time_unix_nano, service, name, toString(metric_points_before.description) AS description,
    unit, metadata_string, metadata_other, type, temporality, monotonic,
    cityHash64(
        cityHash64(
            cityHash64(
                cityHash64(arraySort((pair, place) -> (pair.1, place), CAST(resource_string, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(resource_string))), arraySort((pair, place) -> (pair.1, place), CAST(resource_other, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(resource_other)))),
                resource_dropped_attributes_count, resource_entity_refs, toString(resource_schema_url), toString(scope_name), toString(scope_version),
                arraySort((pair, place) -> (pair.1, place), CAST(scope_string, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(scope_string))), arraySort((pair, place) -> (pair.1, place), CAST(scope_other, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(scope_other))),
                scope_dropped_attributes_count, toString(scope_schema_url)),
            toString(name), toString(metric_points_before.description), toString(unit),
            arraySort((pair, place) -> (pair.1, place), CAST(metadata_string, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(metadata_string))), arraySort((pair, place) -> (pair.1, place), CAST(metadata_other, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(metadata_other))),
            toInt8(type), temporality, monotonic),
        arraySort((pair, place) -> (pair.1, place), CAST(attributes_string, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(attributes_string))), arraySort((pair, place) -> (pair.1, place), CAST(attributes_other, 'Array(Tuple(String, String))'), arrayEnumerate(mapKeys(attributes_other)))) AS series,
    attributes_string, attributes_other, flags, value_type, value_double, value_int, count, sum, min, max, bucket_counts, explicit_bounds, scale,
    zero_count, zero_threshold, positive_offset, positive_bucket_counts, negative_offset, negative_bucket_counts, quantile_values, exemplars,
    resource_fingerprint, resource_string, resource_other,
    CAST(${DEFAULT:received_metric_points.environment}, 'LowCardinality(String)') AS environment,
    CAST(${DEFAULT:received_metric_points.service_namespace}, 'LowCardinality(String)') AS service_namespace,
    CAST(${DEFAULT:received_metric_points.service_version}, 'LowCardinality(String)') AS service_version,
    resource_dropped_attributes_count, resource_entity_refs, resource_schema_url, scope_name, scope_version, scope_string, scope_other,
    scope_dropped_attributes_count, scope_schema_url, bus_partition, bus_offset, received_at
FROM ${DATABASE}.metric_points_before
WHERE ${PARTITIONS:time}
    AND (bus_partition, bus_offset, received_at) NOT IN (
        SELECT bus_partition, bus_offset, received_at
        FROM ${DATABASE}.metric_points
        WHERE retention_days != 0 AND ${PARTITIONS:time} AND received_at <= fromUnixTimestamp64Nano(${CHANGED_AT}, 'UTC'))
