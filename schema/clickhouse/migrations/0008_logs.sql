-- Owner: services/ingestion (writes), services/analytics (reads).
-- Log records, as 0007 has spans. `severity` is what to filter and count by: severity_number as sent or, where a sender gives none (0), what
-- severity_text says. Of a body, `body_words` knows
-- whole words, which ids are found by, and `body_ngrams` every four bytes, in a form in which NFC and NFD, upper and lower case are alike: it
-- knows no words, so that 결제 finds 결제가.

CREATE TABLE IF NOT EXISTS ${DATABASE}.received_logs ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 DEFAULT 32,
    time DateTime64(9, 'UTC'),
    time_shift Int64 DEFAULT 0,
    observed_time_unix_nano UInt64,
    trace_id String,
    span_id String,
    flags UInt32,
    severity_number Int32,
    severity_text LowCardinality(String),
    severity Int32 DEFAULT if(severity_number != 0, severity_number, transform(
        lowerUTF8(trimBoth(toString(severity_text))),
        ['trace', 'trace2', 'trace3', 'trace4', 'verbose', 'finest', 'finer', '추적',
         'debug', 'debug2', 'debug3', 'debug4', 'fine', 'config', '디버그',
         'info', 'info2', 'info3', 'info4', 'information', 'informational', '정보', 'notice', '알림',
         'warn', 'warn2', 'warn3', 'warn4', 'warning', '경고', '주의',
         'error', 'error2', 'error3', 'error4', 'err', 'severe', '오류', '에러',
         'fatal', 'fatal2', 'fatal3', 'fatal4', 'critical', 'crit', 'alert', 'emergency', 'emerg', 'panic', '치명', '심각'],
        [1, 2, 3, 4, 1, 1, 1, 1,
         5, 6, 7, 8, 5, 5, 5,
         9, 10, 11, 12, 9, 9, 9, 10, 10,
         13, 14, 15, 16, 13, 13, 13,
         17, 18, 19, 20, 17, 17, 17, 17,
         21, 22, 23, 24, 21, 21, 21, 21, 21, 21, 21, 21],
        0)),
    service LowCardinality(String),
    event_name LowCardinality(String),
    body String,
    body_other String,
    attributes_string Map(LowCardinality(String), String),
    attributes_int Map(LowCardinality(String), Int64),
    attributes_double Map(LowCardinality(String), Float64),
    attributes_other Map(LowCardinality(String), String),
    dropped_attributes_count UInt32,
    resource_fingerprint UInt64,
    resource_string Map(LowCardinality(String), String),
    resource_other Map(LowCardinality(String), String),
    environment LowCardinality(String) DEFAULT if(
        resource_string['deployment.environment.name'] != '',
        resource_string['deployment.environment.name'], resource_string['deployment.environment']),
    service_namespace LowCardinality(String) DEFAULT resource_string['service.namespace'],
    service_version LowCardinality(String) DEFAULT resource_string['service.version'],
    resource_dropped_attributes_count UInt32,
    resource_entity_refs Array(String),
    resource_schema_url LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_string Map(LowCardinality(String), String),
    scope_other Map(LowCardinality(String), String),
    scope_dropped_attributes_count UInt32,
    scope_schema_url LowCardinality(String),
    bus_partition UInt32,
    bus_offset UInt64,
    received_at DateTime64(9, 'UTC')
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS ${DATABASE}.logs ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    observed_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    severity_number Int32 CODEC(ZSTD(1)),
    severity_text LowCardinality(String),
    severity Int32 CODEC(ZSTD(1)),
    service LowCardinality(String),
    event_name LowCardinality(String),
    -- `body` is the text when a string was sent, else ''; `body_other` holds any other type as in the *_other maps, with 's'
    -- for a string body and '' for a record sent without a body.
    body String CODEC(ZSTD(1)),
    body_other String CODEC(ZSTD(1)),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_int Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    attributes_double Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attributes_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    resource_fingerprint UInt64 CODEC(ZSTD(1)),
    environment LowCardinality(String),
    service_namespace LowCardinality(String),
    service_version LowCardinality(String),
    resource_dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    resource_entity_refs Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    scope_schema_url LowCardinality(String),
    bus_partition UInt32 CODEC(ZSTD(1)),
    bus_offset UInt64 CODEC(ZSTD(1)),
    received_at DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_unix_nano UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4,
    INDEX body_words lower(body) TYPE tokenbf_v1(16384, 3, 0) GRANULARITY 1,
    INDEX body_ngrams lowerUTF8(normalizeUTF8NFC(body)) TYPE ngrambf_v1(4, 16384, 3, 0) GRANULARITY 1,
    INDEX string_keys_bloom mapKeys(attributes_string) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX string_values_bloom mapValues(attributes_string) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX int_keys_bloom mapKeys(attributes_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX int_values_bloom mapValues(attributes_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX double_keys_bloom mapKeys(attributes_double) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX other_keys_bloom mapKeys(attributes_other) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfFiveMinutes(time), service, resource_fingerprint, severity, time)
TTL toDateTime(time) + toIntervalDay(if(retention_days = 0, 32, retention_days))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_logs_to_resources ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    resource_fingerprint,
    any(received_logs.resource_string) AS resource_string,
    any(received_logs.resource_other) AS resource_other
FROM ${DATABASE}.received_logs
GROUP BY tenant, retention_days, day, resource_fingerprint;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_logs_to_logs ${ON_CLUSTER} TO ${DATABASE}.logs AS
SELECT * EXCEPT (resource_string, resource_other)
FROM ${DATABASE}.received_logs;
