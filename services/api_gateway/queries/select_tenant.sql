SELECT id, name
FROM tenants FINAL
WHERE id = {tenant:String}
