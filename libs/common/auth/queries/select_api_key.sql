-- By key id alone: the key says which tenant this is.
SELECT key_id, tenant, name, scopes, key_hash, revoked_at != toDateTime64(0, 9, 'UTC') AS revoked
FROM api_keys FINAL
WHERE key_id = {key_id:String}
