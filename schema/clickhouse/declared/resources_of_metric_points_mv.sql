CREATE MATERIALIZED VIEW airis.resources_of_metric_points_mv TO airis.resources
(
    `tenant` LowCardinality(String),
    `day` Date,
    `resource_fingerprint` UInt64,
    `resource_string` Map(String, String),
    `resource_other` Map(String, String)
)
AS SELECT
    tenant,
    toDate(time) AS day,
    resource_fingerprint,
    any(metric_points.resource_string) AS resource_string,
    any(metric_points.resource_other) AS resource_other
FROM airis.metric_points
GROUP BY
    tenant,
    day,
    resource_fingerprint
