CREATE MATERIALIZED VIEW airis.received_spans_to_red_1m TO airis.red_1m
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC'),
    `service` LowCardinality(String),
    `environment` String,
    `service_namespace` String,
    `service_version` String,
    `operation` LowCardinality(String),
    `kind` Int32,
    `is_entry` UInt8,
    `request_count` UInt64,
    `error_count` UInt64,
    `unmeasured_count` UInt64,
    `duration_sum_nano` UInt128,
    `duration_min_nano` Int64,
    `duration_max_nano` Int64,
    `duration_buckets` Map(Int16, UInt64)
)
AS SELECT
    tenant,
    retention_days,
    time,
    service,
    if(nth <= 100, found_environment, '(other)') AS environment,
    if(nth <= 100, found_namespace, '(other)') AS service_namespace,
    if(nth <= 100, found_version, '(other)') AS service_version,
    operation,
    kind,
    is_entry,
    sum(spans) AS request_count,
    sum(errors) AS error_count,
    sum(unmeasured) AS unmeasured_count,
    sum(durations) AS duration_sum_nano,
    min(shortest) AS duration_min_nano,
    max(longest) AS duration_max_nano,
    sumMap(buckets) AS duration_buckets
FROM
(
    SELECT
        *,
        denseRank() OVER (PARTITION BY tenant, service ORDER BY cityHash64(found_environment, found_namespace, found_version) ASC) AS nth
    FROM
    (
        SELECT
            tenant,
            retention_days,
            toStartOfMinute(toDateTime(received_spans.time, 'UTC')) AS time,
            service,
            environment AS found_environment,
            service_namespace AS found_namespace,
            service_version AS found_version,
            name AS operation,
            kind,
            (kind IN (2, 5)) OR (parent_span_id = '') AS is_entry,
            sum(toUInt64(sample_weight)) AS spans,
            sumIf(toUInt64(sample_weight), status_code = 2) AS errors,
            sumIf(toUInt64(sample_weight), duration_fault != 'none') AS unmeasured,
            sum(if(duration_fault = 'none', toUInt128(duration_nano) * sample_weight, 0)) AS durations,
            min(if(duration_fault = 'none', duration_nano, 9223372036854775807)) AS shortest,
            max(if(duration_fault = 'none', duration_nano, -1)) AS longest,
            sumMapIf(map(CAST(if(duration_nano > 0, toInt16(ceil(log2(duration_nano) * 64) - 1), -32768), 'Int16'), toUInt64(sample_weight)), duration_fault = 'none') AS buckets
        FROM airis.received_spans
        GROUP BY
            tenant,
            retention_days,
            time,
            service,
            found_environment,
            found_namespace,
            found_version,
            operation,
            kind,
            is_entry
    )
)
GROUP BY
    tenant,
    retention_days,
    time,
    service,
    environment,
    service_namespace,
    service_version,
    operation,
    kind,
    is_entry
