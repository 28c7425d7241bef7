CREATE TABLE airis.resources_before
(
    `tenant` LowCardinality(String),
    `day` Date,
    `resource_fingerprint` UInt64,
    `resource_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_other` Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (tenant, day, resource_fingerprint)
TTL day + toIntervalDay(33)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
