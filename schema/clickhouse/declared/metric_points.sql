CREATE TABLE airis.metric_points
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16 CODEC(ZSTD(1)),
    `time` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `time_shift` Int64 DEFAULT 0 CODEC(ZSTD(1)),
    `start_time_unix_nano` UInt64 CODEC(Delta(8), ZSTD(1)),
    `service` LowCardinality(String),
    `name` LowCardinality(String),
    `type` Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `value_type` Enum8('none' = 0, 'double' = 1, 'int' = 2) CODEC(ZSTD(1)),
    `value_double` Float64 CODEC(ZSTD(1)),
    `value_int` Int64 CODEC(T64, ZSTD(1)),
    `count` UInt64 CODEC(T64, ZSTD(1)),
    `sum` Nullable(Float64) CODEC(ZSTD(1)),
    `min` Nullable(Float64) CODEC(ZSTD(1)),
    `max` Nullable(Float64) CODEC(ZSTD(1)),
    `bucket_counts` Array(UInt64) CODEC(ZSTD(1)),
    `explicit_bounds` Array(Float64) CODEC(ZSTD(1)),
    `scale` Int32 CODEC(ZSTD(1)),
    `zero_count` UInt64 CODEC(ZSTD(1)),
    `zero_threshold` Float64 CODEC(ZSTD(1)),
    `positive_offset` Int32 CODEC(ZSTD(1)),
    `positive_bucket_counts` Array(UInt64) CODEC(ZSTD(1)),
    `negative_offset` Int32 CODEC(ZSTD(1)),
    `negative_bucket_counts` Array(UInt64) CODEC(ZSTD(1)),
    `quantile_values` Array(Tuple(
        quantile Float64,
        value Float64)) CODEC(ZSTD(1)),
    `exemplars` Array(Tuple(
        time_unix_nano UInt64,
        trace_id String,
        span_id String,
        value_type Enum8('none' = 0, 'double' = 1, 'int' = 2),
        value_double Float64,
        value_int Int64,
        attributes_string Map(LowCardinality(String), String),
        attributes_other Map(LowCardinality(String), String))) CODEC(ZSTD(1)),
    `resource_fingerprint` UInt64 CODEC(ZSTD(1)),
    `bus_partition` UInt32 CODEC(ZSTD(1)),
    `bus_offset` UInt64 CODEC(ZSTD(1)),
    `received_at` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `time_unix_nano` UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfHour(time), name, service, series, time)
TTL toDateTime(time) + toIntervalDay(if(retention_days = 0, 32, retention_days))
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
