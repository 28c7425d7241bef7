CREATE TABLE airis.red_1h
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `service` LowCardinality(String),
    `environment` LowCardinality(String),
    `service_namespace` LowCardinality(String),
    `service_version` LowCardinality(String),
    `operation` LowCardinality(String),
    `kind` Int32,
    `is_entry` Bool,
    `request_count` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    `error_count` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    `unmeasured_count` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    `duration_sum_nano` SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD(1)),
    `duration_min_nano` SimpleAggregateFunction(min, Int64) CODEC(T64, ZSTD(1)),
    `duration_max_nano` SimpleAggregateFunction(max, Int64) CODEC(T64, ZSTD(1)),
    `duration_buckets` SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (retention_days, toStartOfMonth(time))
ORDER BY (tenant, toStartOfDay(time), service, environment, service_namespace, service_version, operation, kind, is_entry, time)
TTL time + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
