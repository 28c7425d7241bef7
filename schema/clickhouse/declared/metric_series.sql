CREATE TABLE airis.metric_series
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `day` Date,
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `series` UInt64,
    `type` Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    `temporality` Int32,
    `monotonic` Bool,
    `unit` LowCardinality(String),
    `description` String CODEC(ZSTD(1)),
    `metadata_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `metadata_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `attributes_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `attributes_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_fingerprint` UInt64,
    `resource_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `environment` LowCardinality(String),
    `service_namespace` LowCardinality(String),
    `service_version` LowCardinality(String),
    `resource_dropped_attributes_count` UInt32,
    `resource_entity_refs` Array(String) CODEC(ZSTD(1)),
    `resource_schema_url` LowCardinality(String),
    `scope_name` LowCardinality(String),
    `scope_version` LowCardinality(String),
    `scope_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `scope_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `scope_dropped_attributes_count` UInt32,
    `scope_schema_url` LowCardinality(String),
    `first_time` SimpleAggregateFunction(min, DateTime('UTC')),
    `last_time` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (retention_days, toStartOfMonth(day))
ORDER BY (tenant, day, name, service, series)
TTL day + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, allow_dimensions_outside_sorting_key = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
