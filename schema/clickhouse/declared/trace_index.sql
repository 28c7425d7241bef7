CREATE TABLE airis.trace_index
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `day` Date,
    `trace_id` String CODEC(ZSTD(1)),
    `first_time` SimpleAggregateFunction(min, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)),
    `last_time` SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, trace_id, day)
TTL day + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
