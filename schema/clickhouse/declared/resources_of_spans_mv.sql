CREATE MATERIALIZED VIEW airis.resources_of_spans_mv TO airis.resources
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
    any(spans.resource_string) AS resource_string,
    any(spans.resource_other) AS resource_other
FROM airis.spans
GROUP BY
    tenant,
    day,
    resource_fingerprint
