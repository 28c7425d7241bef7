CREATE TABLE airis.resources
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `day` Date,
    `resource_fingerprint` UInt64,
    `resource_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_other` Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, day, resource_fingerprint)
TTL day + toIntervalDay(if(retention_days = 0, 33, retention_days + 1))
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
