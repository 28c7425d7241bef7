-- The most that any replica has. All must answer: the one that is away may be the only one that has the rows.
SELECT bus_offset, received_at_ns, max(replica_row_count) AS row_count
FROM (
    SELECT
        hostName() AS replica, bus_offset AS bus_offset, toUnixTimestamp64Nano(received_at) AS received_at_ns,
        count() AS replica_row_count
    FROM clusterAllReplicas({cluster:Identifier}, currentDatabase(), {table:Identifier})
    WHERE bus_partition = {partition:UInt32} AND bus_offset BETWEEN {first:UInt64} AND {last:UInt64}
      AND received_at BETWEEN fromUnixTimestamp64Nano({earliest:Int64}, 'UTC') AND fromUnixTimestamp64Nano({latest:Int64}, 'UTC')
    GROUP BY replica, bus_offset, received_at_ns
)
GROUP BY bus_offset, received_at_ns
SETTINGS skip_unavailable_shards = 0
