SELECT email, id, tenant, roles, password_hash, disabled, toUnixTimestamp64Nano(created_at) AS created_at_unix_nano
FROM users FINAL
ORDER BY email
