-- By e-mail alone: it is unique over all tenants, and it is sign-in that finds out which tenant this is.
SELECT email, id, tenant, roles, password_hash, disabled, version,
       toUnixTimestamp64Nano(created_at) AS created_at_unix_nano
FROM users FINAL
WHERE email = {email:String}
