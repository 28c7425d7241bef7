CREATE MATERIALIZED VIEW airis.received_logs_to_resources TO airis.resources
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
    any(received_logs.resource_string) AS resource_string,
    any(received_logs.resource_other) AS resource_other
FROM airis.received_logs
GROUP BY
    tenant,
    retention_days,
    day,
    resource_fingerprint
