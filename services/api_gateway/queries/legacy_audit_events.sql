-- The next page after a record. Records that are equal in everything, request id included, are one that was written twice.
SELECT DISTINCT tenant, toUnixTimestamp64Nano(time) AS time_unix_nano, action, outcome, subject, target, address, request_id,
       toString(cityHash64(tenant, action, outcome, subject, target, address, request_id)) AS hash
FROM audit_log
WHERE (toUnixTimestamp64Nano(time), cityHash64(tenant, action, outcome, subject, target, address, request_id))
      > ({after_time:Int64}, {after_hash:UInt64})
ORDER BY time, cityHash64(tenant, action, outcome, subject, target, address, request_id)
LIMIT {page:UInt32}
