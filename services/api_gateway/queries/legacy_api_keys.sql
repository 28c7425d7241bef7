SELECT k.key_id AS key_id, k.tenant AS tenant, k.name AS name, k.scopes AS scopes, k.key_hash AS key_hash,
       k.created_by AS created_by,
       toUnixTimestamp64Nano(k.created_at) AS created_at_unix_nano,
       toUnixTimestamp64Nano(k.revoked_at) AS revoked_at_unix_nano,
       toUnixTimestamp(u.last_used_at) AS last_used_at
FROM
(
    SELECT key_id, tenant, name, scopes, created_by, created_at, revoked_at, key_hash
    FROM api_keys FINAL
) AS k
LEFT JOIN
(
    SELECT key_id, max(last_used_at) AS last_used_at
    FROM api_key_uses
    GROUP BY key_id
) AS u ON u.key_id = k.key_id
ORDER BY k.key_id
