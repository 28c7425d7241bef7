-- Into resources by day, from resources_before.
SELECT tenant, 0::UInt16 AS retention_days, day, resource_fingerprint, resource_string, resource_other
FROM ${DATABASE}.resources_before
WHERE ${PARTITIONS:day}
