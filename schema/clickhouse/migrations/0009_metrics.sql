-- Owner: services/ingestion (writes), services/analytics (reads).
-- A point is narrow: what all points of a series share is in `metric_series`, once a day. `series` is a hash of all of that (name, type, unit,
-- description, temporality, metadata, sorted attributes, resource, scope), so that a point finds exactly what it was sent with.

CREATE TABLE IF NOT EXISTS ${DATABASE}.received_metric_points ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 DEFAULT 32,
    time DateTime64(9, 'UTC'),
    time_shift Int64 DEFAULT 0,
    start_time_unix_nano UInt64,
    service LowCardinality(String),
    name LowCardinality(String),
    description String,
    unit LowCardinality(String),
    metadata_string Map(LowCardinality(String), String),
    metadata_other Map(LowCardinality(String), String),
    type Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    temporality Int32,
    monotonic Bool,
    series UInt64,
    attributes_string Map(LowCardinality(String), String),
    attributes_other Map(LowCardinality(String), String),
    flags UInt32,
    value_type Enum8('none' = 0, 'double' = 1, 'int' = 2),
    value_double Float64,
    value_int Int64,
    count UInt64,
    sum Nullable(Float64),
    min Nullable(Float64),
    max Nullable(Float64),
    bucket_counts Array(UInt64),
    explicit_bounds Array(Float64),
    scale Int32,
    zero_count UInt64,
    zero_threshold Float64,
    positive_offset Int32,
    positive_bucket_counts Array(UInt64),
    negative_offset Int32,
    negative_bucket_counts Array(UInt64),
    quantile_values Array(Tuple(quantile Float64, value Float64)),
    exemplars Array(Tuple(
        time_unix_nano UInt64,
        trace_id String,
        span_id String,
        value_type Enum8('none' = 0, 'double' = 1, 'int' = 2),
        value_double Float64,
        value_int Int64,
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String))),
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

-- One row per data point; which columns mean something follows from `type` and `value_type`.
CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_points ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16 CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_shift Int64 DEFAULT 0 CODEC(ZSTD(1)),
    start_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String),
    name LowCardinality(String),
    type Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5) CODEC(ZSTD(1)),
    series UInt64 CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    value_type Enum8('none' = 0, 'double' = 1, 'int' = 2) CODEC(ZSTD(1)),
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
    bus_partition UInt32 CODEC(ZSTD(1)),
    bus_offset UInt64 CODEC(ZSTD(1)),
    received_at DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    time_unix_nano UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfHour(time), name, service, series, time)
TTL toDateTime(time) + toIntervalDay(if(retention_days = 0, 32, retention_days))
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

-- What points share, one row per series and day. Kept as long as the rollups, which need it. All columns follow from `series`.
CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_series ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    day Date,
    name LowCardinality(String),
    service LowCardinality(String),
    series UInt64,
    type Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    temporality Int32,
    monotonic Bool,
    unit LowCardinality(String),
    description String CODEC(ZSTD(1)),
    metadata_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    metadata_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_fingerprint UInt64,
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    environment LowCardinality(String),
    service_namespace LowCardinality(String),
    service_version LowCardinality(String),
    resource_dropped_attributes_count UInt32,
    resource_entity_refs Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_other Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_dropped_attributes_count UInt32,
    scope_schema_url LowCardinality(String),
    first_time SimpleAggregateFunction(min, DateTime('UTC')),
    last_time SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toStartOfMonth(day))
ORDER BY (tenant, day, name, service, series)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, allow_dimensions_outside_sorting_key = 1, ${DEDUPLICATION};

-- Points of one series in five minutes, and in an hour. `value` is a number, or the sum of a histogram, exponential histogram or
-- summary. `first` and `last` (by time) give a cumulative counter's increase: last - first, and where value_min is below first's there was a
-- reset; they hold a histogram's count and cumulative state too, as upper bounds (the last infinite) and counts. value_sum, point_count and
-- `buckets` (upper bounds, and counts by them) are sums over the points, for delta temporality and averages. Points marked as without a value are left out.
CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_5m ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    name LowCardinality(String),
    service LowCardinality(String),
    series UInt64,
    point_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    value_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    value_min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    value_max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    count_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    first SimpleAggregateFunction(min, Tuple(
        time DateTime64(9, 'UTC'), start_time_unix_nano UInt64, value Float64, count UInt64, bounds Array(Float64), counts Array(UInt64))) CODEC(ZSTD(1)),
    last SimpleAggregateFunction(max, Tuple(
        time DateTime64(9, 'UTC'), start_time_unix_nano UInt64, value Float64, count UInt64, bounds Array(Float64), counts Array(UInt64))) CODEC(ZSTD(1)),
    buckets SimpleAggregateFunction(sumMap, Tuple(Array(Float64), Array(UInt64))) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfHour(time), name, service, series, time)
TTL time + INTERVAL 100 DAY
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE TABLE IF NOT EXISTS ${DATABASE}.metric_1h ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    retention_days UInt16,
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    name LowCardinality(String),
    service LowCardinality(String),
    series UInt64,
    point_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    value_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    value_min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    value_max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    count_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    first SimpleAggregateFunction(min, Tuple(
        time DateTime64(9, 'UTC'), start_time_unix_nano UInt64, value Float64, count UInt64, bounds Array(Float64), counts Array(UInt64))) CODEC(ZSTD(1)),
    last SimpleAggregateFunction(max, Tuple(
        time DateTime64(9, 'UTC'), start_time_unix_nano UInt64, value Float64, count UInt64, bounds Array(Float64), counts Array(UInt64))) CODEC(ZSTD(1)),
    buckets SimpleAggregateFunction(sumMap, Tuple(Array(Float64), Array(UInt64))) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY (retention_days, toStartOfMonth(time))
ORDER BY (tenant, toStartOfDay(time), name, service, series, time)
TTL time + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, ${DEDUPLICATION};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_metric_points_to_resources ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    resource_fingerprint,
    any(received_metric_points.resource_string) AS resource_string,
    any(received_metric_points.resource_other) AS resource_other
FROM ${DATABASE}.received_metric_points
GROUP BY tenant, retention_days, day, resource_fingerprint;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_metric_points_to_metric_series ${ON_CLUSTER} TO ${DATABASE}.metric_series AS
SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    name,
    service,
    series,
    any(received_metric_points.type) AS type,
    any(received_metric_points.temporality) AS temporality,
    any(received_metric_points.monotonic) AS monotonic,
    any(received_metric_points.unit) AS unit,
    any(received_metric_points.description) AS description,
    any(received_metric_points.metadata_string) AS metadata_string,
    any(received_metric_points.metadata_other) AS metadata_other,
    any(received_metric_points.attributes_string) AS attributes_string,
    any(received_metric_points.attributes_other) AS attributes_other,
    any(received_metric_points.resource_fingerprint) AS resource_fingerprint,
    any(received_metric_points.resource_string) AS resource_string,
    any(received_metric_points.resource_other) AS resource_other,
    any(received_metric_points.environment) AS environment,
    any(received_metric_points.service_namespace) AS service_namespace,
    any(received_metric_points.service_version) AS service_version,
    any(received_metric_points.resource_dropped_attributes_count) AS resource_dropped_attributes_count,
    any(received_metric_points.resource_entity_refs) AS resource_entity_refs,
    any(received_metric_points.resource_schema_url) AS resource_schema_url,
    any(received_metric_points.scope_name) AS scope_name,
    any(received_metric_points.scope_version) AS scope_version,
    any(received_metric_points.scope_string) AS scope_string,
    any(received_metric_points.scope_other) AS scope_other,
    any(received_metric_points.scope_dropped_attributes_count) AS scope_dropped_attributes_count,
    any(received_metric_points.scope_schema_url) AS scope_schema_url,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM ${DATABASE}.received_metric_points
GROUP BY tenant, retention_days, day, name, service, series;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_metric_points_to_metric_points ${ON_CLUSTER} TO ${DATABASE}.metric_points AS
SELECT
    tenant, retention_days, time, time_shift, start_time_unix_nano, service, name, type, series, flags, value_type, value_double, value_int,
    count, sum, min, max, bucket_counts, explicit_bounds, scale, zero_count, zero_threshold, positive_offset, positive_bucket_counts,
    negative_offset, negative_bucket_counts, quantile_values, exemplars, resource_fingerprint, bus_partition,
    bus_offset, received_at
FROM ${DATABASE}.received_metric_points;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_metric_points_to_metric_catalogue ${ON_CLUSTER} TO ${DATABASE}.metric_catalogue AS
SELECT
    tenant,
    toDate(time) AS day,
    name,
    service,
    type,
    unit,
    temporality,
    monotonic,
    anyLast(received_metric_points.description) AS description,
    groupUniqArrayArray(arrayMap(k -> toString(k), arrayConcat(mapKeys(attributes_string), mapKeys(attributes_other)))) AS attribute_keys,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM ${DATABASE}.received_metric_points
GROUP BY tenant, day, name, service, type, unit, temporality, monotonic;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.received_metric_points_to_metric_5m ${ON_CLUSTER} TO ${DATABASE}.metric_5m AS
WITH
    multiIf(
        received_metric_points.value_type = 'int', toFloat64(received_metric_points.value_int),
        received_metric_points.value_type = 'double', received_metric_points.value_double,
        ifNull(received_metric_points.sum, 0.)) AS value,
    arrayConcat(
        arrayResize(received_metric_points.explicit_bounds, greatest(length(received_metric_points.bucket_counts), 1) - 1, inf),
        if(empty(received_metric_points.bucket_counts), []::Array(Float64), [inf])) AS explicit_uppers,
    exp2(-received_metric_points.scale) AS step,
    arrayConcat(
        explicit_uppers,
        arrayReverse(arrayMap(i -> -exp2((received_metric_points.negative_offset + i - 1) * step), arrayEnumerate(received_metric_points.negative_bucket_counts))),
        if(received_metric_points.zero_count > 0, [received_metric_points.zero_threshold], []::Array(Float64)),
        arrayMap(i -> exp2((received_metric_points.positive_offset + i) * step), arrayEnumerate(received_metric_points.positive_bucket_counts))) AS uppers,
    arrayConcat(
        received_metric_points.bucket_counts,
        arrayReverse(received_metric_points.negative_bucket_counts),
        if(received_metric_points.zero_count > 0, [received_metric_points.zero_count], []::Array(UInt64)),
        received_metric_points.positive_bucket_counts) AS upper_counts,
    (received_metric_points.time, received_metric_points.start_time_unix_nano, value, received_metric_points.count, uppers, upper_counts) AS state
SELECT
    tenant,
    retention_days,
    toStartOfFiveMinutes(toDateTime(received_metric_points.time, 'UTC')) AS time,
    name,
    service,
    series,
    count() AS point_count,
    sum(value) AS value_sum,
    min(value) AS value_min,
    max(value) AS value_max,
    sum(received_metric_points.count) AS count_sum,
    min(state) AS first,
    max(state) AS last,
    sumMap((uppers, upper_counts)) AS buckets
FROM ${DATABASE}.received_metric_points
WHERE bitAnd(flags, 1) = 0 AND (value_type != 'none' OR type IN ('histogram', 'exponential_histogram', 'summary'))
GROUP BY tenant, retention_days, time, name, service, series;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.metric_5m_to_metric_1h ${ON_CLUSTER} TO ${DATABASE}.metric_1h AS
SELECT
    tenant,
    retention_days,
    toStartOfHour(metric_5m.time) AS time,
    name,
    service,
    series,
    sum(metric_5m.point_count) AS point_count,
    sum(metric_5m.value_sum) AS value_sum,
    min(metric_5m.value_min) AS value_min,
    max(metric_5m.value_max) AS value_max,
    sum(metric_5m.count_sum) AS count_sum,
    min(metric_5m.first) AS first,
    max(metric_5m.last) AS last,
    sumMap(metric_5m.buckets) AS buckets
FROM ${DATABASE}.metric_5m
GROUP BY tenant, retention_days, time, name, service, series;
