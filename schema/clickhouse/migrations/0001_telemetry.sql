-- Owner: services/ingestion (writes), services/analytics (reads).
-- Every table: tenant first, then a coarse time bucket, in the sort key; daily partitions that expire whole (ttl_only_drop_parts).
-- `time` is where a record is filed: its own time when that lies within [received - 30 d, received + 1 d], else the receive
-- time. What was sent is kept exactly: *_unix_nano = unix nanoseconds of `time` + `time_shift` (modulo 2^64; 0 for nearly all).
-- Attributes of any type survive: strings, ints and doubles have a map each; everything else is in *_other, whose values are
-- one type byte and a payload: 't'/'f' bool, 'a' + ArrayValue message, 'k' + KeyValueList message, 'b' + bytes, '' = no value
-- set. Resources and scopes, which are few and mostly strings, keep ints ('i' + decimal) and doubles ('d' + shortest decimal) there too.
-- bus_partition and bus_offset say which bus record a row came from, for audits of loss and duplication.

CREATE TABLE IF NOT EXISTS ${DATABASE}.spans ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32 CODEC(ZSTD(1)),
    duration_nano Int64 CODEC(T64, ZSTD(1)),
    status_code Int32 CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_int Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    attributes_double Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attributes_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    events Array(Tuple(
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String),
        dropped_attributes_count UInt32)) CODEC(ZSTD(1)),
    dropped_events_count UInt32 CODEC(ZSTD(1)),
    links Array(Tuple(
        trace_id String,
        span_id String,
        trace_state String,
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String),
        dropped_attributes_count UInt32,
        flags UInt32)) CODEC(ZSTD(1)),
    dropped_links_count UInt32 CODEC(ZSTD(1)),
    resource_fingerprint UInt64 CODEC(ZSTD(1)),
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_dropped_attributes_count UInt32 CODEC(ZSTD(1)),
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
    start_time_unix_nano UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    is_entry Bool ALIAS kind IN (2, 5) OR parent_span_id = '',
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX duration_minmax duration_nano TYPE minmax GRANULARITY 1,
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfFiveMinutes(time), service, resource_fingerprint, name, time)
TTL toDateTime(time) + INTERVAL 32 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS ${DATABASE}.trace_index ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    day Date,
    trace_id String CODEC(ZSTD(1)),
    first_time SimpleAggregateFunction(min, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)),
    last_time SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY day
ORDER BY (tenant, trace_id, day)
TTL day + INTERVAL 33 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.trace_index_mv ${ON_CLUSTER} TO ${DATABASE}.trace_index AS
SELECT tenant, toDate(time) AS day, trace_id, min(toDateTime(time, 'UTC')) AS first_time, max(toDateTime(time, 'UTC')) AS last_time
FROM ${DATABASE}.spans
GROUP BY tenant, day, trace_id;

-- RED figures per service and operation: rate, errors, duration. Quantile states merge over minutes, operations and services.
CREATE TABLE IF NOT EXISTS ${DATABASE}.red_1m ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String),
    operation LowCardinality(String),
    kind Int32,
    is_entry Bool,
    request_count SimpleAggregateFunction(sum, UInt64),
    error_count SimpleAggregateFunction(sum, UInt64),
    duration_sum_nano SimpleAggregateFunction(sum, Float64),
    duration_quantiles AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Int64)
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), service, operation, kind, is_entry, time)
TTL time + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.red_1m_mv ${ON_CLUSTER} TO ${DATABASE}.red_1m AS
SELECT
    tenant,
    toStartOfMinute(toDateTime(spans.time, 'UTC')) AS time,
    service,
    name AS operation,
    kind,
    kind IN (2, 5) OR parent_span_id = '' AS is_entry,
    count() AS request_count,
    countIf(status_code = 2) AS error_count,
    sum(toFloat64(greatest(duration_nano, 0))) AS duration_sum_nano,
    quantilesTDigestState(0.5, 0.9, 0.95, 0.99)(greatest(duration_nano, 0)) AS duration_quantiles
FROM ${DATABASE}.spans
GROUP BY tenant, time, service, operation, kind, is_entry;

CREATE TABLE IF NOT EXISTS ${DATABASE}.logs ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    observed_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    severity_number Int32 CODEC(ZSTD(1)),
    severity_text LowCardinality(String),
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
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_dropped_attributes_count UInt32 CODEC(ZSTD(1)),
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
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfFiveMinutes(time), service, resource_fingerprint, severity_number, time)
TTL toDateTime(time) + INTERVAL 32 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- One row per data point; which columns mean something follows from `type` and `value_type`.
CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_points ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    start_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String),
    name LowCardinality(String),
    description LowCardinality(String),
    unit LowCardinality(String),
    metadata_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    metadata_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    type Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    temporality Int32 CODEC(ZSTD(1)),
    monotonic Bool CODEC(ZSTD(1)),
    series UInt64 CODEC(ZSTD(1)),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    value_type Enum8('none' = 0, 'double' = 1, 'int' = 2),
    value_double Float64 CODEC(ZSTD(1)),
    value_int Int64 CODEC(T64, ZSTD(1)),
    count UInt64 CODEC(T64, ZSTD(1)),
    sum Nullable(Float64) CODEC(ZSTD(1)),
    min Nullable(Float64) CODEC(ZSTD(1)),
    max Nullable(Float64) CODEC(ZSTD(1)),
    bucket_counts Array(UInt64) CODEC(ZSTD(1)),
    explicit_bounds Array(Float64) CODEC(ZSTD(1)),
    scale Int32 CODEC(ZSTD(1)),
    zero_count UInt64 CODEC(ZSTD(1)),
    zero_threshold Float64 CODEC(ZSTD(1)),
    positive_offset Int32 CODEC(ZSTD(1)),
    positive_bucket_counts Array(UInt64) CODEC(ZSTD(1)),
    negative_offset Int32 CODEC(ZSTD(1)),
    negative_bucket_counts Array(UInt64) CODEC(ZSTD(1)),
    quantile_values Array(Tuple(quantile Float64, value Float64)) CODEC(ZSTD(1)),
    exemplars Array(Tuple(
        time_unix_nano UInt64,
        trace_id String,
        span_id String,
        value_type Enum8('none' = 0, 'double' = 1, 'int' = 2),
        value_double Float64,
        value_int Int64,
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String))) CODEC(ZSTD(1)),
    resource_fingerprint UInt64 CODEC(ZSTD(1)),
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_dropped_attributes_count UInt32 CODEC(ZSTD(1)),
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
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), name, service, series, time)
TTL toDateTime(time) + INTERVAL 32 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- What can be charted: one row per metric, service and day.
CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_catalogue ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    day Date,
    name LowCardinality(String),
    service LowCardinality(String),
    type Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    unit LowCardinality(String),
    temporality Int32,
    monotonic Bool,
    description SimpleAggregateFunction(anyLast, String),
    attribute_keys SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    first_time SimpleAggregateFunction(min, DateTime('UTC')),
    last_time SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (tenant, day, name, service, type, unit, temporality, monotonic)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.metric_catalogue_mv ${ON_CLUSTER} TO ${DATABASE}.metric_catalogue AS
SELECT
    tenant,
    toDate(time) AS day,
    name,
    service,
    type,
    unit,
    temporality,
    monotonic,
    anyLast(toString(metric_points.description)) AS description,
    groupUniqArrayArray(arrayMap(k -> toString(k), arrayConcat(mapKeys(attributes_string), mapKeys(attributes_other)))) AS attribute_keys,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM ${DATABASE}.metric_points
GROUP BY tenant, day, name, service, type, unit, temporality, monotonic;
