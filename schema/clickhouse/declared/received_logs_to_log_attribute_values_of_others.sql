CREATE MATERIALIZED VIEW airis.received_logs_to_log_attribute_values_of_others TO airis.log_attribute_values
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
        (type IN ('i', 't', 'f')) AND (count() OVER (PARTITION BY tenant, time, key, type) <= 200) AS is_listed
    FROM
    (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_logs.time, 'UTC')) AS time,
            pair.1 AS key,
            pair.2 AS type,
            pair.3 AS found,
            count() AS records
        FROM airis.received_logs
        ARRAY JOIN arrayConcat(arrayMap((k, v) -> (toString(k), 'i', toString(v)), mapKeys(attributes_int), mapValues(attributes_int)), arrayMap(k -> (toString(k), 'd', ''), mapKeys(attributes_double)), arrayMap((k, v) -> (toString(k), substring(v, 1, 1), ''), mapKeys(attributes_other), mapValues(attributes_other))) AS pair
        GROUP BY
            tenant,
            retention_days,
            time,
            key,
            type,
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
