SELECT bus_offset AS bus_offset, toUnixTimestamp64Nano(received_at) AS received_at_ns, count() AS row_count
FROM {table:Identifier}
WHERE bus_partition = {partition:UInt32} AND bus_offset BETWEEN {first:UInt64} AND {last:UInt64}
  AND received_at BETWEEN fromUnixTimestamp64Nano({earliest:Int64}, 'UTC') AND fromUnixTimestamp64Nano({latest:Int64}, 'UTC')
GROUP BY bus_offset, received_at
