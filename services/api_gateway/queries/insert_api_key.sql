INSERT INTO api_keys (key_id, tenant, name, scopes, key_hash, created_by, created_at, revoked_at, version)
SELECT {key_id:String}, {tenant:String}, {name:String}, {scopes:Array(String)}, {key_hash:String}, {created_by:String},
       fromUnixTimestamp64Nano({created_at:Int64}, 'UTC'), fromUnixTimestamp64Nano({revoked_at:Int64}, 'UTC'),
       {version:UInt64}
