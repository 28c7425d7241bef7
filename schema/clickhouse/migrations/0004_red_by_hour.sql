-- Owner: services/ingestion (writes), services/analytics (reads).
-- The RED rollup by hour, for ranges of days: merging a digest takes ~15 µs, and a month has 43,200 minutes for each operation.
-- Fed from red_1m, so the spans are aggregated once.

CREATE TABLE IF NOT EXISTS ${DATABASE}.red_1h ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String),
    operation LowCardinality(String),
    kind Int32,
    is_entry Bool,
    request_count SimpleAggregateFunction(sum, UInt64),
    error_count SimpleAggregateFunction(sum, UInt64),
    duration_sum_nano SimpleAggregateFunction(sum, Float64),
    duration_quantiles AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Int64)
)
ENGINE = ${REPLICATED}AggregatingMergeTree
PARTITION BY toStartOfMonth(time)
ORDER BY (tenant, toStartOfDay(time), service, operation, kind, is_entry, time)
TTL time + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.red_1h_mv ${ON_CLUSTER} TO ${DATABASE}.red_1h AS
SELECT
    tenant,
    toStartOfHour(red_1m.time) AS time,
    service,
    operation,
    kind,
    is_entry,
    sum(red_1m.request_count) AS request_count,
    sum(red_1m.error_count) AS error_count,
    sum(red_1m.duration_sum_nano) AS duration_sum_nano,
    quantilesTDigestMergeState(0.5, 0.9, 0.95, 0.99)(red_1m.duration_quantiles) AS duration_quantiles
FROM ${DATABASE}.red_1m
GROUP BY tenant, time, service, operation, kind, is_entry;
