CREATE TABLE airis.metric_catalogue
(
    `tenant` LowCardinality(String),
    `day` Date,
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `type` Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    `unit` LowCardinality(String),
    `temporality` Int32,
    `monotonic` Bool,
    `description` SimpleAggregateFunction(anyLast, String),
    `attribute_keys` SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    `first_time` SimpleAggregateFunction(min, DateTime('UTC')),
    `last_time` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (tenant, day, name, service, type, unit, temporality, monotonic)
TTL day + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192
