CREATE MATERIALIZED VIEW airis.resources_of_logs_mv TO airis.resources
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
    any(logs.resource_string) AS resource_string,
    any(logs.resource_other) AS resource_other
FROM airis.logs
GROUP BY
    tenant,
    day,
    resource_fingerprint
