-- Owner: services/ingestion (writes), services/analytics (reads).
-- What the writer inserts into is a table that keeps nothing, `received_spans`: rows as decoded. Views fill the tables that are read
-- from it, each dropping a repeated token by itself. So a resource's maps, which every row has on arrival, are stored once in
-- `resources` instead of in every row (measured: 20 % of the engine's work and 11 % of the bytes of a span).
--
-- retention_days is the class of tenant and signal and leads every partition key, so that data of one class expires and is
-- erased in whole parts. It comes with the bus record's envelope; 0 there means the default of 32. In the tables, 0 marks rows carried over
-- from before there were classes (32 days). TTL of rollups does not follow the class.
-- environment, service_namespace and service_version come from the resource, '' where it has none.

CREATE TABLE IF NOT EXISTS ${DATABASE}.received_spans ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 DEFAULT 32,
    time DateTime64(9, 'UTC'),
    time_shift Int64 DEFAULT 0,
    trace_id String,
    span_id String,
    parent_span_id String,
    trace_state String,
    flags UInt32,
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    duration_nano Int64,
    end_shift Int64 DEFAULT 0,
    -- What no percentile may count: a start that was never set, an end before the start (or never set), more than 30 days.
    duration_fault Enum8('none' = 0, 'start_unset' = 1, 'end_before_start' = 2, 'too_long' = 3) DEFAULT multiIf(
        toUnixTimestamp64Nano(time) + time_shift = 0, 'start_unset',
        duration_nano < 0, 'end_before_start',
        duration_nano > 30 * 86400000000000, 'too_long', 'none'),
    sample_weight UInt32 DEFAULT 1,
    status_code Int32,
    status_message String,
    attributes_string Map(LowCardinality(String), String),
    attributes_int Map(LowCardinality(String), Int64),
    attributes_double Map(LowCardinality(String), Float64),
    attributes_other Map(LowCardinality(String), String),
    dropped_attributes_count UInt32,
    events Array(Tuple(
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String),
        dropped_attributes_count UInt32)),
    dropped_events_count UInt32,
    links Array(Tuple(
        trace_id String,
        span_id String,
        trace_state String,
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String),
        dropped_attributes_count UInt32,
        flags UInt32)),
    dropped_links_count UInt32,
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

-- duration_nano is the difference of end and start, held within Int64; what it lacks of the end as sent is end_shift (0 for nearly
-- all). sample_weight is how many spans this one stands for: 1, unless a sampler kept it for others.
CREATE TABLE IF NOT EXISTS ${DATABASE}.spans ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 CODEC(ZSTD(1)),
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
    end_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    duration_fault Enum8('none' = 0, 'start_unset' = 1, 'end_before_start' = 2, 'too_long' = 3) CODEC(ZSTD(1)),
    sample_weight UInt32 DEFAULT 1 CODEC(ZSTD(1)),
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
    start_time_unix_nano UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    end_time_unix_nano UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift + duration_nano + end_shift),
    is_entry Bool ALIAS kind IN (2, 5) OR parent_span_id = '',
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX duration_minmax duration_nano TYPE minmax GRANULARITY 1,
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4,
    INDEX string_keys_bloom mapKeys(attributes_string) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX string_values_bloom mapValues(attributes_string) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX int_keys_bloom mapKeys(attributes_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX int_values_bloom mapValues(attributes_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX double_keys_bloom mapKeys(attributes_double) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX other_keys_bloom mapKeys(attributes_other) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfFiveMinutes(time), service, resource_fingerprint, name, time)
TTL toDateTime(time) + toIntervalDay(if(retention_days = 0, 32, retention_days))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE TABLE IF NOT EXISTS ${DATABASE}.trace_index ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    day Date,
    trace_id String CODEC(ZSTD(1)),
    first_time SimpleAggregateFunction(min, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)),
    last_time SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, trace_id, day)
TTL day + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

-- Each resource once a day and class, by a fingerprint of its sorted attributes: a question about a resource is answered here and put to
-- the records as `resource_fingerprint IN (...)`, and records read their resource's maps from here.
CREATE TABLE IF NOT EXISTS ${DATABASE}.resources ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    day Date,
    resource_fingerprint UInt64,
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}ReplacingMergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, day, resource_fingerprint)
TTL day + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

-- RED figures: rate, errors and duration. duration_buckets is an exponential histogram as of OpenTelemetry, at scale 6: key i counts
-- durations in (2^(i/64), 2^((i+1)/64)] nanoseconds, -32768 those of 0. Sums of counts: any percentile is within 0.6 %, "how many under
-- 300 ms" is a sum, and no order of merging changes an answer. Every count is weighted by sample_weight. Spans with a duration_fault are
-- requests and may be errors; in place of a bucket they are in unmeasured_count.
CREATE TABLE IF NOT EXISTS ${DATABASE}.red_1m ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String),
    environment LowCardinality(String),
    service_namespace LowCardinality(String),
    service_version LowCardinality(String),
    operation LowCardinality(String),
    kind Int32,
    is_entry Bool,
    request_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    error_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    unmeasured_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_sum_nano SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD(1)),
    duration_min_nano SimpleAggregateFunction(min, Int64) CODEC(T64, ZSTD(1)),
    duration_max_nano SimpleAggregateFunction(max, Int64) CODEC(T64, ZSTD(1)),
    duration_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfHour(time), service, environment, service_namespace, service_version, operation, kind, is_entry, time)
TTL time + INTERVAL 35 DAY
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE TABLE IF NOT EXISTS ${DATABASE}.red_1h ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String),
    environment LowCardinality(String),
    service_namespace LowCardinality(String),
    service_version LowCardinality(String),
    operation LowCardinality(String),
    kind Int32,
    is_entry Bool,
    request_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    error_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    unmeasured_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_sum_nano SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD(1)),
    duration_min_nano SimpleAggregateFunction(min, Int64) CODEC(T64, ZSTD(1)),
    duration_max_nano SimpleAggregateFunction(max, Int64) CODEC(T64, ZSTD(1)),
    duration_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toStartOfMonth(time))
ORDER BY (tenant, toStartOfDay(time), service, environment, service_namespace, service_version, operation, kind, is_entry, time)
TTL time + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_resources ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    resource_fingerprint,
    any(received_spans.resource_string) AS resource_string,
    any(received_spans.resource_other) AS resource_other
FROM ${DATABASE}.received_spans
GROUP BY tenant, retention_days, day, resource_fingerprint;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_spans ${ON_CLUSTER} TO ${DATABASE}.spans AS
SELECT * EXCEPT (resource_string, resource_other)
FROM ${DATABASE}.received_spans;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_trace_index ${ON_CLUSTER} TO ${DATABASE}.trace_index AS
SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    trace_id,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM ${DATABASE}.received_spans
GROUP BY tenant, retention_days, day, trace_id;

-- Environments, namespaces and versions of a service that one insert can add are bounded: beyond the first 100 of them the rest is one,
-- '(other)', so that a sender which puts an id there makes no more rows than 100 of them would.
CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_spans_to_red_1m ${ON_CLUSTER} TO ${DATABASE}.red_1m AS
SELECT
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
FROM (
    SELECT
        *,
        dense_rank() OVER (PARTITION BY tenant, service ORDER BY cityHash64(found_environment, found_namespace, found_version)) AS nth
    FROM (
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
            kind IN (2, 5) OR parent_span_id = '' AS is_entry,
            sum(toUInt64(sample_weight)) AS spans,
            sumIf(toUInt64(sample_weight), status_code = 2) AS errors,
            sumIf(toUInt64(sample_weight), duration_fault != 'none') AS unmeasured,
            sum(if(duration_fault = 'none', toUInt128(duration_nano) * sample_weight, 0)) AS durations,
            min(if(duration_fault = 'none', duration_nano, 9223372036854775807)) AS shortest,
            max(if(duration_fault = 'none', duration_nano, -1)) AS longest,
            sumMapIf(
                map(if(duration_nano > 0, toInt16(ceil(log2(duration_nano) * 64) - 1), -32768)::Int16, toUInt64(sample_weight)),
                duration_fault = 'none') AS buckets
        FROM ${DATABASE}.received_spans
        GROUP BY tenant, retention_days, time, service, found_environment, found_namespace, found_version, operation, kind, is_entry
    )
)
GROUP BY tenant, retention_days, time, service, environment, service_namespace, service_version, operation, kind, is_entry;

-- Fed from red_1m, so the spans are aggregated once.
CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.red_1m_to_red_1h ${ON_CLUSTER} TO ${DATABASE}.red_1h AS
SELECT
    tenant,
    retention_days,
    toStartOfHour(red_1m.time) AS time,
    service,
    environment,
    service_namespace,
    service_version,
    operation,
    kind,
    is_entry,
    sum(red_1m.request_count) AS request_count,
    sum(red_1m.error_count) AS error_count,
    sum(red_1m.unmeasured_count) AS unmeasured_count,
    sum(red_1m.duration_sum_nano) AS duration_sum_nano,
    min(red_1m.duration_min_nano) AS duration_min_nano,
    max(red_1m.duration_max_nano) AS duration_max_nano,
    sumMap(red_1m.duration_buckets) AS duration_buckets
FROM ${DATABASE}.red_1m
GROUP BY tenant, retention_days, time, service, environment, service_namespace, service_version, operation, kind, is_entry;
