INSERT INTO tenants (id, name, created_at, version)
SELECT {tenant:String}, {name:String}, fromUnixTimestamp64Nano({created_at:Int64}, 'UTC'), {version:UInt64}
