SELECT bus_offset AS bus_offset, count() AS row_count
FROM {table:Identifier}
WHERE bus_partition = {partition:UInt32} AND bus_offset BETWEEN {first:UInt64} AND {last:UInt64}
GROUP BY bus_offset
