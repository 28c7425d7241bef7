-- Into trace_index by day, from trace_index_before.
SELECT tenant, 0::UInt16 AS retention_days, day, trace_id, first_time, last_time
FROM ${DATABASE}.trace_index_before
WHERE ${PARTITIONS:day}
