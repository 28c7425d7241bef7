CREATE MATERIALIZED VIEW airis.received_logs_to_log_attribute_values TO airis.log_attribute_values
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC'),
    `key` String,
    `type` String,
    `is_listed` UInt8,
    `value` String,
    `record_count` UInt64
)
AS SELECT
    tenant,
    retention_days,
    time,
    key,
    type,
    is_listed,
    if(is_listed, found, '') AS value,
    sum(records) AS record_count
FROM
(
    SELECT
        *,
        's' AS type,
        (count() OVER (PARTITION BY tenant, time, key) <= 200) AND (length(found) <= 256) AS is_listed
    FROM
    (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_logs.time, 'UTC')) AS time,
            key,
            found,
            count() AS records
        FROM airis.received_logs
        ARRAY JOIN
            mapKeys(attributes_string) AS key,
            mapValues(attributes_string) AS found
        GROUP BY
            tenant,
            retention_days,
            time,
            key,
            found
    )
)
GROUP BY
    tenant,
    retention_days,
    time,
    key,
    type,
    is_listed,
    value
