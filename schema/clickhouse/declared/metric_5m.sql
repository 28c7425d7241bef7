CREATE TABLE airis.metric_5m
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `series` UInt64,
    `point_count` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    `value_sum` SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    `value_min` SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    `value_max` SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    `count_sum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    `first` SimpleAggregateFunction(min, Tuple(
        time DateTime64(9, 'UTC'),
        start_time_unix_nano UInt64,
        value Float64,
        count UInt64,
        bounds Array(Float64),
        counts Array(UInt64))) CODEC(ZSTD(1)),
    `last` SimpleAggregateFunction(max, Tuple(
        time DateTime64(9, 'UTC'),
        start_time_unix_nano UInt64,
        value Float64,
        count UInt64,
        bounds Array(Float64),
        counts Array(UInt64))) CODEC(ZSTD(1)),
    `buckets` SimpleAggregateFunction(sumMap, Tuple(
        Array(Float64),
        Array(UInt64))) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfHour(time), name, service, series, time)
TTL time + toIntervalDay(100)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
