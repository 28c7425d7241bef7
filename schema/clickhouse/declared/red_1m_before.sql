CREATE TABLE airis.red_1m_before
(
    `tenant` LowCardinality(String),
    `time` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `service` LowCardinality(String),
    `operation` LowCardinality(String),
    `kind` Int32,
    `is_entry` Bool,
    `request_count` SimpleAggregateFunction(sum, UInt64),
    `error_count` SimpleAggregateFunction(sum, UInt64),
    `duration_sum_nano` SimpleAggregateFunction(sum, Float64),
    `duration_quantiles` AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Int64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), service, operation, kind, is_entry, time)
TTL time + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
