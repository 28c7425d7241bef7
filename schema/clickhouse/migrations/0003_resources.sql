-- Owner: services/ingestion (writes), services/analytics (reads).
-- Each resource once a day, by fingerprint. A deployment has thousands of resources and billions of records, so a question
-- about a resource is answered here and put to the records as `resource_fingerprint IN (...)`: 8 bytes that are in their
-- sort key instead of a map of a dozen strings (measured on 5 M spans: 38 ms against 400 ms).
-- No measurable cost on insert: a block holds few resources, and the maps are copied once for each.

CREATE TABLE IF NOT EXISTS ${DATABASE}.resources ${ON_CLUSTER}
(
    tenant LowCardinality(String),
    day Date,
    resource_fingerprint UInt64,
    resource_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_other Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ${REPLICATED}ReplacingMergeTree
PARTITION BY day
ORDER BY (tenant, day, resource_fingerprint)
TTL day + INTERVAL 33 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.resources_of_spans_mv ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    toDate(time) AS day,
    resource_fingerprint,
    any(spans.resource_string) AS resource_string,
    any(spans.resource_other) AS resource_other
FROM ${DATABASE}.spans
GROUP BY tenant, day, resource_fingerprint;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.resources_of_logs_mv ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    toDate(time) AS day,
    resource_fingerprint,
    any(logs.resource_string) AS resource_string,
    any(logs.resource_other) AS resource_other
FROM ${DATABASE}.logs
GROUP BY tenant, day, resource_fingerprint;

CREATE MATERIALIZED VIEW IF NOT EXISTS ${DATABASE}.resources_of_metric_points_mv ${ON_CLUSTER} TO ${DATABASE}.resources AS
SELECT
    tenant,
    toDate(time) AS day,
    resource_fingerprint,
    any(metric_points.resource_string) AS resource_string,
    any(metric_points.resource_other) AS resource_other
FROM ${DATABASE}.metric_points
GROUP BY tenant, day, resource_fingerprint;
