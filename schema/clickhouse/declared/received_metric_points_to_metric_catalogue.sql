CREATE MATERIALIZED VIEW airis.received_metric_points_to_metric_catalogue TO airis.metric_catalogue
(
    `tenant` LowCardinality(String),
    `day` Date,
    `name` LowCardinality(String),
    `service` LowCardinality(String),
    `type` Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    `unit` LowCardinality(String),
    `temporality` Int32,
    `monotonic` Bool,
    `description` String,
    `attribute_keys` Array(String),
    `first_time` DateTime('UTC'),
    `last_time` DateTime('UTC')
)
AS SELECT
    tenant,
    toDate(time) AS day,
    name,
    service,
    type,
    unit,
    temporality,
    monotonic,
    anyLast(received_metric_points.description) AS description,
    groupUniqArrayArray(arrayMap(k -> toString(k), arrayConcat(mapKeys(attributes_string), mapKeys(attributes_other)))) AS attribute_keys,
    min(toDateTime(time, 'UTC')) AS first_time,
    max(toDateTime(time, 'UTC')) AS last_time
FROM airis.received_metric_points
GROUP BY
    tenant,
    day,
    name,
    service,
    type,
    unit,
    temporality,
    monotonic
