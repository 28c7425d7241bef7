CREATE TABLE airis.logs_before
(
    `tenant` LowCardinality(String),
    `time` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `time_shift` Int64 DEFAULT 0 CODEC(ZSTD(1)),
    `observed_time_unix_nano` UInt64 CODEC(Delta(8), ZSTD(1)),
    `trace_id` String CODEC(ZSTD(1)),
    `span_id` String CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `severity_number` Int32 CODEC(ZSTD(1)),
    `severity_text` LowCardinality(String),
    `service` LowCardinality(String),
    `event_name` LowCardinality(String),
    `body` String CODEC(ZSTD(1)),
    `body_other` String CODEC(ZSTD(1)),
    `attributes_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `attributes_int` Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    `attributes_double` Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    `attributes_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `dropped_attributes_count` UInt32 CODEC(ZSTD(1)),
    `resource_fingerprint` UInt64 CODEC(ZSTD(1)),
    `resource_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_dropped_attributes_count` UInt32 CODEC(ZSTD(1)),
    `resource_entity_refs` Array(String) CODEC(ZSTD(1)),
    `resource_schema_url` LowCardinality(String),
    `scope_name` LowCardinality(String),
    `scope_version` LowCardinality(String),
    `scope_string` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `scope_other` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `scope_dropped_attributes_count` UInt32 CODEC(ZSTD(1)),
    `scope_schema_url` LowCardinality(String),
    `bus_partition` UInt32 CODEC(ZSTD(1)),
    `bus_offset` UInt64 CODEC(ZSTD(1)),
    `received_at` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `time_unix_nano` UInt64 ALIAS reinterpretAsUInt64(toUnixTimestamp64Nano(time) + time_shift),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX bus_offset_minmax bus_offset TYPE minmax GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfFiveMinutes(time), service, resource_fingerprint, severity_number, time)
TTL toDateTime(time) + toIntervalDay(32)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
