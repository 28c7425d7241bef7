CREATE TABLE airis.api_keys
(
    `key_id` String COMMENT 'Public part of the key; leads the sort order because every request looks a key up by it',
    `tenant` String,
    `name` String,
    `scopes` Array(LowCardinality(String)) COMMENT 'ingest, read',
    `key_hash` String COMMENT 'SHA-256 of the whole key, lower-case hex; the key itself is never stored',
    `created_by` String COMMENT 'Subject of the identity that made it, or bootstrap',
    `created_at` DateTime64(9, 'UTC'),
    `revoked_at` DateTime64(9, 'UTC') DEFAULT 0 COMMENT 'Epoch while the key is valid',
    `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY key_id
SETTINGS index_granularity = 8192
COMMENT 'API keys'
