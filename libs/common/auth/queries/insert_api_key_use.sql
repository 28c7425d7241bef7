INSERT INTO api_key_uses (tenant, key_id, last_used_at)
SELECT {tenant:String}, {key_id:String}, toDateTime({last_used_at:Int64}, 'UTC')
