CREATE MATERIALIZED VIEW airis.received_metric_points_to_resources TO airis.resources
(
    `tenant` LowCardinality(String),
    `retention_days` UInt16,
    `day` Date,
    `resource_fingerprint` UInt64,
    `resource_string` Map(String, String),
    `resource_other` Map(String, String)
)
AS SELECT
    tenant,
    retention_days,
    toDate(time) AS day,
    resource_fingerprint,
    any(received_metric_points.resource_string) AS resource_string,
    any(received_metric_points.resource_other) AS resource_other
FROM airis.received_metric_points
GROUP BY
    tenant,
    retention_days,
    day,
    resource_fingerprint
