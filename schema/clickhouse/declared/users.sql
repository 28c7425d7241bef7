CREATE TABLE airis.users
(
    `email` String COMMENT 'Trimmed and case-folded; unique over all tenants, because sign-in asks for nothing else',
    `id` String,
    `tenant` String,
    `roles` Array(LowCardinality(String)),
    `password_hash` String COMMENT 'argon2id, PHC string',
    `disabled` Bool DEFAULT false,
    `created_at` DateTime64(9, 'UTC'),
    `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY email
SETTINGS index_granularity = 8192
COMMENT 'People who sign in'
