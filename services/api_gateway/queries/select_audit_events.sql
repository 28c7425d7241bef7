SELECT tenant, toUnixTimestamp64Nano(time) AS time_unix_nano, action, outcome, subject, target, address, request_id
FROM audit_log
WHERE tenant = {tenant:String}
ORDER BY time, action
