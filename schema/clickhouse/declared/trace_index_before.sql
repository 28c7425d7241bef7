CREATE TABLE airis.trace_index_before
(
    `tenant` LowCardinality(String),
    `day` Date,
    `trace_id` String CODEC(ZSTD(1)),
    `first_time` SimpleAggregateFunction(min, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)),
    `last_time` SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (tenant, trace_id, day)
TTL day + toIntervalDay(33)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
