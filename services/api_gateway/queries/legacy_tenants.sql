-- Of the version before, for the one time that they are taken over.
SELECT id, name, toUnixTimestamp64Nano(created_at) AS created_at_unix_nano
FROM tenants FINAL
ORDER BY id
