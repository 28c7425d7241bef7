-- Owner: services/ingestion (writes), services/analytics (reads).
-- Which attributes records have, and their values, by the hour: completion, facets and distinct values without reading a record (measured on 1 M
-- spans: 2.5 s of the engine's work, less than storing resources once saves, and some hundred rows an insert). `type` is the byte of tagged
-- values, 's' for strings. A key has a row for each value where one insert brings at most 200 of them, none longer than 256 bytes; else, and for
-- what is neither text, whole number nor boolean, one row that lists none (is_listed false), so that ids cost no more than their name.
-- record_count is weighted as in red_1m.

CREATE TABLE IF NOT EXISTS ${DATABASE}.span_attribute_values ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    key LowCardinality(String),
    type LowCardinality(String),
    is_listed Bool,
    value String CODEC(ZSTD(1)),
    record_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfDay(time), key, type, is_listed, value, time)
TTL time + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_span_attribute_values ${ON_CLUSTER} TO ${DATABASE}.span_attribute_values AS
SELECT tenant, retention_days, time, key, type, is_listed, if(is_listed, found, '') AS value, sum(records) AS record_count
FROM (
    SELECT *, 's' AS type, count() OVER (PARTITION BY tenant, time, key) <= 200 AND length(found) <= 256 AS is_listed
    FROM (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_spans.time, 'UTC')) AS time,
            key,
            found,
            sum(toUInt64(sample_weight)) AS records
        FROM ${DATABASE}.received_spans
        ARRAY JOIN mapKeys(attributes_string) AS key, mapValues(attributes_string) AS found
        GROUP BY tenant, retention_days, time, key, found
    )
)
GROUP BY tenant, retention_days, time, key, type, is_listed, value;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_span_attribute_values_of_others ${ON_CLUSTER} TO ${DATABASE}.span_attribute_values AS
SELECT tenant, retention_days, time, key, type, is_listed, if(is_listed, found, '') AS value, sum(records) AS record_count
FROM (
    SELECT *, type IN ('i', 't', 'f') AND count() OVER (PARTITION BY tenant, time, key, type) <= 200 AS is_listed
    FROM (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_spans.time, 'UTC')) AS time,
            pair.1 AS key,
            pair.2 AS type,
            pair.3 AS found,
            sum(toUInt64(sample_weight)) AS records
        FROM ${DATABASE}.received_spans
        ARRAY JOIN arrayConcat(
            arrayMap((k, v) -> (toString(k), 'i', toString(v)), mapKeys(attributes_int), mapValues(attributes_int)),
            arrayMap(k -> (toString(k), 'd', ''), mapKeys(attributes_double)),
            arrayMap((k, v) -> (toString(k), substring(v, 1, 1), ''), mapKeys(attributes_other), mapValues(attributes_other))) AS pair
        GROUP BY tenant, retention_days, time, key, type, found
    )
)
GROUP BY tenant, retention_days, time, key, type, is_listed, value;

CREATE TABLE IF NOT EXISTS ${DATABASE}.log_attribute_values ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    key LowCardinality(String),
    type LowCardinality(String),
    is_listed Bool,
    value String CODEC(ZSTD(1)),
    record_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfDay(time), key, type, is_listed, value, time)
TTL time + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_logs_to_log_attribute_values ${ON_CLUSTER} TO ${DATABASE}.log_attribute_values AS
SELECT tenant, retention_days, time, key, type, is_listed, if(is_listed, found, '') AS value, sum(records) AS record_count
FROM (
    SELECT *, 's' AS type, count() OVER (PARTITION BY tenant, time, key) <= 200 AND length(found) <= 256 AS is_listed
    FROM (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_logs.time, 'UTC')) AS time,
            key,
            found,
            count() AS records
        FROM ${DATABASE}.received_logs
        ARRAY JOIN mapKeys(attributes_string) AS key, mapValues(attributes_string) AS found
        GROUP BY tenant, retention_days, time, key, found
    )
)
GROUP BY tenant, retention_days, time, key, type, is_listed, value;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_logs_to_log_attribute_values_of_others ${ON_CLUSTER} TO ${DATABASE}.log_attribute_values AS
SELECT tenant, retention_days, time, key, type, is_listed, if(is_listed, found, '') AS value, sum(records) AS record_count
FROM (
    SELECT *, type IN ('i', 't', 'f') AND count() OVER (PARTITION BY tenant, time, key, type) <= 200 AS is_listed
    FROM (
        SELECT
            tenant,
            retention_days,
            toStartOfHour(toDateTime(received_logs.time, 'UTC')) AS time,
            pair.1 AS key,
            pair.2 AS type,
            pair.3 AS found,
            count() AS records
        FROM ${DATABASE}.received_logs
        ARRAY JOIN arrayConcat(
            arrayMap((k, v) -> (toString(k), 'i', toString(v)), mapKeys(attributes_int), mapValues(attributes_int)),
            arrayMap(k -> (toString(k), 'd', ''), mapKeys(attributes_double)),
            arrayMap((k, v) -> (toString(k), substring(v, 1, 1), ''), mapKeys(attributes_other), mapValues(attributes_other))) AS pair
        GROUP BY tenant, retention_days, time, key, type, found
    )
)
GROUP BY tenant, retention_days, time, key, type, is_listed, value;
