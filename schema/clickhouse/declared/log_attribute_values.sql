CREATE TABLE airis.log_attribute_values
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `time` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `key` LowCardinality(String),
    `type` LowCardinality(String),
    `is_listed` Bool,
    `value` String CODEC(ZSTD(1)),
    `record_count` SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (retention_days, toDate(time))
ORDER BY (tenant, toStartOfDay(time), key, type, is_listed, value, time)
TTL time + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
