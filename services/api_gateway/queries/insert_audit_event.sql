INSERT INTO audit_log (tenant, time, action, outcome, subject, target, address, request_id)
SELECT {tenant:String}, fromUnixTimestamp64Nano({time:Int64}, 'UTC'), {action:String}, {outcome:String},
       {subject:String}, {target:String}, {address:String}, {request_id:String}
