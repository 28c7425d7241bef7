INSERT INTO users (email, id, tenant, roles, password_hash, disabled, created_at, version)
SELECT {email:String}, {id:String}, {tenant:String}, {roles:Array(String)}, {password_hash:String}, {disabled:Bool},
       fromUnixTimestamp64Nano({created_at:Int64}, 'UTC'), {version:UInt64}
